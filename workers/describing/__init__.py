"""Pages of `docs/` that are made from the code: `docs/event-catalogue.md` from the registry and the event types, `docs/order-states.md` by
playing the real decisions and writing down what every event does to every status, `docs/metrics.md` from the table of metrics.

`python -m workers.describing` writes them, `--check` says which are out of date, and a test does the same. Nothing here is told what events
or statuses there are: a new event, status, decision or field is in the pages with the next run.
"""
