"""What is asked of the views, for one tenant: the ports, and what stands behind them. Knows nothing of HTTP."""
