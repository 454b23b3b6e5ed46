"""What an auditor asks of the log: that it is as it was written (`verify.py`), and what happened to an order, by whom and why
(`history.py`).
"""
