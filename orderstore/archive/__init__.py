"""The log in S3, for good: every commit exactly once, in compressed segments that a chain of manifests names.

Start with `manifest.py` (what lies there), then `writer.py` (how it gets there, whatever is delivered twice or dies), `reader.py`
(how it is read and proven) and `restore.py` (how tables are made from it). Design: docs/archive.md.
"""
