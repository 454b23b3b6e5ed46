"""The published forms by topic; `orderstore/schemas/published.py` offers each of them under its own name."""
