"""Personal data inside stored events: encrypted with a key per customer, so that erasing one row makes it unreadable everywhere at once,
and no hash of the log changes. `sealing.py` seals and opens; `keys.py` says what a key ring is; `dynamo_keys.py` is the real one (KMS and
DynamoDB), `memory_keys.py` the reference.
"""
