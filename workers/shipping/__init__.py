"""The shipping worker: books the carrier, hands the goods over, follows them, and stops them while they can be stopped."""
