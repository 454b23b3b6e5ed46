"""What happened, line by line, for whoever has to find out why."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import anyio


@dataclass(eq=False)
class Story:
    """Lines with the time since the beginning. `wall` gives the same moment on the clock that mails and logs carry."""

    began: float = field(default_factory=anyio.current_time)
    began_wall_s: float = field(default_factory=time.time)
    lines: list[str] = field(default_factory=list)

    def tell(self, text: str) -> None:
        """Add a line."""
        self.lines.append(f"{self.now_s:7.2f} s  {text}")

    @property
    def now_s(self) -> float:
        """Seconds since the beginning."""
        return anyio.current_time() - self.began

    def since_began_s(self, wall_s: float) -> float:
        """A moment of the wall clock as seconds since the beginning."""
        return wall_s - self.began_wall_s

    def __str__(self) -> str:
        return "\n".join(self.lines)


async def until(look: Callable[[], bool], *, within_s: float, every_s: float = 0.1) -> bool:
    """Look again and again until it is so; False when it is not within so many seconds."""
    with anyio.move_on_after(within_s):
        while not look():  # noqa: ASYNC110 - other processes set no event
            await anyio.sleep(every_s)
        return True
    return False
