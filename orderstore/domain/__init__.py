"""The order, pure: no I/O, no clock, no randomness, standard library only.

    NotPlaced ── OrderCreated ──> Received ── OrderConfirmed ──> Confirmed ── ShipmentDispatched ──> InFulfilment
                                   │    │                            │                                ^    │
                       OrderRejected   OrderCancellationRequested ───┤   OrderCancellationDeclined    │    │
                                   v                                 v   (the goods had left)         │    │
                               Rejected                          Cancelling ──────────────────────────┘    │
                                                                     │                        OrderCompleted
                                                                     v OrderCancelled                      v
                                                                 Cancelled                            Completed

Payment and inventory run in parallel; whichever outcome comes second carries the join (confirm, reject, or start to
compensate) in the same commit. `events` are the facts, `state` folds them, `decisions` makes new ones, `follow_up` is
what an order concludes from its own facts, `next_steps` what it still wants of each worker. `holds` stop an order without
undoing it, in any of its states; `allowances` say how long each of its stages may take.
"""
