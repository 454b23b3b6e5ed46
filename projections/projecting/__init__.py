"""From commits to documents: what the projector and a rebuild share. Only `projector.py` knows the stream."""
