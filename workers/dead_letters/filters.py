"""Which letters are meant."""

from dataclasses import dataclass
from typing import Final

from workers.dead_letters.errors import NotAllowed
from workers.dead_letters.letter import Letter

AGE_S_MAX: Final = 14 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What a letter must be; None may be anything. Ages are those of the message: of one that the queue moved itself, since it was first
    sent. Raises NotAllowed."""

    message_id: str | None = None
    cause: str | None = None
    """A part of the cause, in any case."""
    event_type: str | None = None
    order_id: str | None = None
    older_than_s: float | None = None
    newer_than_s: float | None = None

    def __post_init__(self) -> None:
        for age_s in (self.older_than_s, self.newer_than_s):
            if age_s is not None and not 0 <= age_s <= AGE_S_MAX:
                raise NotAllowed("an age is between 0 and 14 days: no letter is kept longer")
        if "" in (self.message_id, self.cause, self.event_type, self.order_id):
            raise NotAllowed("a filter must not be empty")

    def admits(self, letter: Letter, *, now_ms: int) -> bool:
        """Whether the letter is meant."""
        age_s = (now_ms - letter.message.sent_at_ms) / 1000
        return (
            self.message_id in (None, letter.id)
            and (self.cause is None or self.cause.casefold() in letter.cause.key.casefold())
            and self.event_type in (None, letter.event_type)
            and self.order_id in (None, letter.order_id)
            and (self.older_than_s is None or age_s >= self.older_than_s)
            and (self.newer_than_s is None or age_s < self.newer_than_s)
        )
