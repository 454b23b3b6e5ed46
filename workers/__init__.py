"""The processes: every worker reacts to events and appends its own outcomes; `wiring` composes them, `settings` reads the environment."""
