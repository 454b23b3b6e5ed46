"""The notification worker: tells customers and operators what happened to orders; one record for each event and channel.

Nothing here can touch an order: a notification that fails is a failed notification (D10).
"""
