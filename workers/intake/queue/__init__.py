"""Order requests as events: EventBridge delivers them through a queue, each is put through the API's own door, and what became of it is
reported back on the bus."""
