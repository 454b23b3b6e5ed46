"""The read side: the stream reader, the views that it keeps, the relay that publishes, and the internal API."""
