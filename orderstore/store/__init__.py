"""The log: a port (`port.py`), its errors (`errors.py`), the hash chain (`chain.py`), a reference implementation in memory
(`memory.py`) and the one on DynamoDB (`dynamo.py`, whose requests are built, without any I/O, in `items.py`). Nothing here knows what an
order is: a commit's body is opaque bytes.
"""
