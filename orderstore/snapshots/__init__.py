"""Snapshots: where a very long order stood, so that not all of it has to be read to know where it stands now. They are taken off the write
path, are disposable, and prove nothing: the log is the only record, and what audits it never looks here. An order of ordinary length,
one page of a Query, has none and costs nothing.
"""
