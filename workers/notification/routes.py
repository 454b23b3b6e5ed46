"""Which channels an event is told by: those that are configured for it and have a text for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workers.notification.channels import Channel
from workers.notification.texts import Texts, template_for


@dataclass(frozen=True, slots=True)
class Route:
    """A channel, and the events that it is for; None: every event that it has a text for."""

    channel: Channel
    events: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """How one event is to be told: the template, and the names of the channels, in the order of the routes."""

    template: str
    channels: tuple[str, ...]


class Routes:
    """The channels of this process. Raises ValueError for two of one name."""

    def __init__(self, routes: Sequence[Route], texts: Texts) -> None:
        self._routes = tuple(routes)
        self._texts = texts
        self._channels: Mapping[str, Channel] = {route.channel.name: route.channel for route in routes}
        if len(self._channels) != len(self._routes):
            raise ValueError("two channels have the same name")

    def channel(self, name: str) -> Channel | None:
        """The channel of that name, if this process has it."""
        return self._channels.get(name)

    @property
    def names(self) -> tuple[str, ...]:
        """Of every channel."""
        return tuple(self._channels)

    def plan(self, event_type: str) -> Plan | None:
        """How an event of that type is told; None: by nobody to nobody."""
        template = template_for(event_type)
        if template is None:
            return None
        chosen = tuple(
            route.channel.name
            for route in self._routes
            if (route.events is None or event_type in route.events) and self._texts.has(template, route.channel.name)
        )
        return Plan(template, chosen) if chosen else None
