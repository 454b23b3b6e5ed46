"""Fills the next generation of a view from the log or the archive, beside live traffic, and lets readers switch to it when it is proved.

What is here is given a log to read, a store of views, a book and an archive to read, and nothing else: no publisher, no queue, no gateway.
So nothing it does is heard of outside, by construction; a test holds the imports to that.
"""
