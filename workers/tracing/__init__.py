"""Spans of what the service does, over OpenTelemetry: off by default, and then nothing of it is even imported. See `docs/tracing.md`."""
