"""The inventory worker: sets goods aside for an order, all lines or none, and puts them back when the order is undone.

`stock` is the port, `table_stock` keeps it in a service table, `reservation` is the life of one reservation there, `handler` the worker,
`sandbox` obeys an order's test hooks.
"""
