"""The command line, a module a group of commands; `workers/cli.py` puts them together."""
