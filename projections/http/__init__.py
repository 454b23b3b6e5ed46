"""The internal HTTP API: places orders, answers what became of them, and tells its health.

`build_app(services)` is the door; everything that it needs comes in a `Services`. It appends to the log and reads views
and the log; it publishes nothing, charges nothing and mails nothing.
"""
