"""The notification worker: tells customers what happened to their orders, one record per notification.

Nothing here can touch an order: a notification that fails is a failed notification (D10).
"""
