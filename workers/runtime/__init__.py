"""A generic SQS consumer: a queue port with two adapters, and one bounded consume loop.

It knows no order. A handler takes a `Message` and answers with an `Outcome`; the loop sees to polling by credit, the visibility
heartbeat, deadlines, batched acknowledgements, back-off, poison, duplicates and the drain. `queue.py` and `outcome.py` are its
vocabulary; start reading there, then `consume.py`.
"""
