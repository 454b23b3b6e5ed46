"""The whole service on one machine: generated orders go in through the API, and are followed until each has ended."""
