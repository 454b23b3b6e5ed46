"""Intake: how orders come in other than by a request to the API.

`online_retail` reads the public Online Retail data set as a stream and says what each invoice is; `importer` sends what is an order, and
what takes one back, through a `Door`; `generator` makes orders of the same shape without the data. Nothing in here knows AWS, the
order service or the environment: the composition root supplies the door.
"""
