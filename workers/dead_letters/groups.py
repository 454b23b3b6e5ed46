"""Letters counted by what they have in common: queue, cause and event type. Memory does not grow with the letters."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from workers.dead_letters.causes import Cause
from workers.dead_letters.letter import Letter

GROUPS_MAX: Final = 200
EXAMPLES: Final = 3


@dataclass(slots=True, kw_only=True)
class Group:
    """Times are those of the messages, wall clock in milliseconds."""

    cause: Cause
    event_type: str | None
    count: int = 0
    oldest_ms: int
    newest_ms: int
    redriven_before: int = 0
    unreadable: int = 0
    examples: list[str] = field(default_factory=list)


class Groups:
    """The groups of one queue. Past `GROUPS_MAX` causes the rest are counted as one."""

    def __init__(self, queue: str) -> None:
        self.queue = queue
        self.stopped: str | None = None
        self._groups: dict[tuple[str, str | None], Group] = {}

    def see(self, letters: Iterable[Letter]) -> None:
        """Count some more."""
        for letter in letters:
            group = self._group(letter)
            group.count += 1
            group.oldest_ms = min(group.oldest_ms, letter.message.sent_at_ms)
            group.newest_ms = max(group.newest_ms, letter.message.sent_at_ms)
            group.redriven_before += letter.redrive_count > 0
            group.unreadable += letter.unreadable is not None
            if len(group.examples) < EXAMPLES:
                group.examples.append(letter.id)

    @property
    def count(self) -> int:
        """How many letters there are in all."""
        return sum(group.count for group in self._groups.values())

    def largest_first(self) -> list[Group]:
        """Every group."""
        return sorted(self._groups.values(), key=lambda group: (-group.count, group.cause.key, group.event_type or ""))

    def _group(self, letter: Letter) -> Group:
        key: tuple[str, str | None] = (letter.cause.key, letter.event_type)
        cause, event_type = letter.cause, letter.event_type
        if key not in self._groups and len(self._groups) >= GROUPS_MAX:
            key, event_type = ("", None), None
            cause = Cause("many other causes", "There are too many to list: filter by event type or order.", None)
        at_ms = letter.message.sent_at_ms
        return self._groups.setdefault(key, Group(cause=cause, event_type=event_type, oldest_ms=at_ms, newest_ms=at_ms))
