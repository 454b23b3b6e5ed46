"""The verbs of people, each as a value: what somebody wants of an order, how it is decided, what says in the log that it was done, and how
a repeat is told from another request. `Orders.ask` carries any of them out; the API and the command line make the same ones."""
