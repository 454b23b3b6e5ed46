"""What Prometheus sees: one table of every metric, and an observer for each layer that reports into it."""
