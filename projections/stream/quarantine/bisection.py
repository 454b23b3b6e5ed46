"""Finding the keys at which a failure lies, by halves."""

from collections.abc import Awaitable, Callable, Collection, Sequence

from projections.stream.quarantine.rules import Judge, Verdict

Attempt = Callable[[Sequence[str]], Awaitable[None]]


async def keys_at_fault(
    keys: Sequence[str],
    attempt: Attempt,
    judge: Judge,
    *,
    suspects: Collection[str] = (),
    failed_together: Verdict | None = None,
) -> tuple[str, ...]:
    """Attempt all keys, and of those that fail together ever smaller parts, until each of the others has gone well.

    Returns the keys that failed alone. `suspects` are not attempted: they are among the answer. `failed_together`: all have been
    attempted at once, with that verdict. What the judge does not lay at the records' door is raised at once.
    """
    at_fault = [key for key in keys if key in suspects]
    others = [key for key in keys if key not in suspects]
    parts: list[Sequence[str]] = [others]
    if failed_together is not None:
        parts = _divided(others, failed_together)
        if len(parts) == 1:
            at_fault += parts.pop()
    while parts:
        part = parts.pop()
        if not part:
            continue
        try:
            await attempt(part)
        except Exception as error:
            verdict = judge(error)
            if verdict.cause is None:
                raise
            if len(part) == 1:
                at_fault.append(part[0])
            else:
                parts += _divided(part, verdict)
    return tuple(at_fault)


def _divided(part: Sequence[str], verdict: Verdict) -> list[Sequence[str]]:
    """Those that the error names apart from the others; halves, when it names none, or all; one key cannot be divided."""
    if len(part) == 1:
        return [part]
    named = [key for key in part if key in verdict.keys]
    if named and len(named) < len(part):
        return [named, [key for key in part if key not in verdict.keys]]
    return [part[len(part) // 2 :], part[: len(part) // 2]]
