"""The whole service on virtual time, with everything going wrong that one integer says: see docs/reliability.md."""
