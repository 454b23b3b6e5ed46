"""Load through the embedded environment: an emulator's process, the roles' processes, the HTTP API. See docs/load.md."""
