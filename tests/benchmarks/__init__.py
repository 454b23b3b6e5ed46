"""What the write side costs, measured against the least that it could cost, in one run and interleaved: `python -m tests.benchmarks`.

Nothing here is collected as a test but `test_benchmark_harness.py`, which holds the arithmetic. Results, and what they led to, are in
docs/performance.md.
"""
