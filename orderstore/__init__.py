"""The write side of the order service: a log of immutable events, the order they tell of, and the verbs that extend it."""
