"""The archive worker: every message says that an order has grown; many of them together become one segment in S3."""
