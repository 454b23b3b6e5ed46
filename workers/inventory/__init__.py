"""The inventory worker: sets goods aside for an order, as its terms say, lets them go with its parcels, and takes back what does not leave
or comes back.

`stock` is the port, `table_stock` keeps it in a service table, `reservation` is the life of one reservation there, `handler` the worker,
`sandbox` obeys an order's test hooks. What stock's answers mean for an order is pure: `lines`, `outcomes`, `backorders`, `returning`.
"""
