"""Proves that views equal the log: documents, their places in lists, totals. Nothing in here writes."""
