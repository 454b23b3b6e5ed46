"""The billing worker: one invoice per order, numbered without a gap, once the goods have left."""
