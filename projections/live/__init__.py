"""What changes, told as it happens: an order's status, and a customer's orders and inbox, for clients that stay connected.

A client's place is in the id of the last event that it was given; nothing is kept for it here. What has moved is found out by looking at
the views, at all that is watched at once (`watching.py`); what it moved to is read from the log. So two commits between two looks are two
events, and a client that comes back, to whichever process, goes on where it was. Knows nothing of HTTP.
"""
