"""The write side of the order service: a log of immutable events, the order they tell of, and the verbs that extend it.

This is the public face. Read `orderstore/domain` first, then `transact.py`, then `orders.py`; adapters (`store`, `privacy`)
are imported by their own names, so that nobody loads a database's client for the sake of a value.
"""

from orderstore.domain.rejections import CommandRejected
from orderstore.history import History
from orderstore.orders import Accepted, CustomerErased, HooksRefused, KeyReused, Orders
from orderstore.privacy.words import Vault
from orderstore.recorded import Actor, Cause, Recorded
from orderstore.requests import CancelOrder, PlaceOrder, RequestRefund
from orderstore.store.errors import StoreError
from orderstore.store.port import EventStore
from orderstore.transact import Contended, Transactor

__all__ = [
    "Accepted",
    "Actor",
    "CancelOrder",
    "Cause",
    "CommandRejected",
    "Contended",
    "CustomerErased",
    "EventStore",
    "History",
    "HooksRefused",
    "KeyReused",
    "Orders",
    "PlaceOrder",
    "Recorded",
    "RequestRefund",
    "StoreError",
    "Transactor",
    "Vault",
]
