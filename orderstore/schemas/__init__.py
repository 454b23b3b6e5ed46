"""What events look like, derived from their types: JSON Schemas of the stored and the published forms, and an AsyncAPI document.

`shape.py` turns a type into a schema, `documents.py` and `asyncapi.py` make the documents from the registry, `files.py` holds the
committed ones to them, `compatibility.py` says what a change of a schema breaks, and `releases.py` holds every change to the promise
that the last release made. `published.py` and `envelopes.py` are the types; nothing here runs when an order is served.
"""
