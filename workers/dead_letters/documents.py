"""What people are shown, as JSON: by the command line with --json, and by the API."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from workers.dead_letters.groups import Groups
from workers.dead_letters.letter import Letter, shown, shown_body
from workers.dead_letters.mending import Purge
from workers.dead_letters.redrive import Report
from workers.dead_letters.standing import Standing

NAME_SHOWN_MAX: Final = 256
VALUE_SHOWN_MAX: Final = 1_000


def moment(at_ms: int) -> str:
    """A wall clock in milliseconds, as people read it."""
    return datetime.fromtimestamp(at_ms / 1000, tz=UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def groups(found: Mapping[str, Groups], *, now_ms: int) -> dict[str, Any]:
    """All groups of some queues, each queue's largest first; `notWhole` says which looks did not see everything."""
    items = [
        {
            "queue": queue,
            "cause": _name(group.cause.key),
            "meaning": group.cause.words,
            "eventType": _name(group.event_type),
            "letters": group.count,
            "oldest": moment(group.oldest_ms),
            "newest": moment(group.newest_ms),
            "oldestAgeSeconds": max(0, now_ms - group.oldest_ms) // 1000,
            "redrivenBefore": group.redriven_before,
            "unreadable": group.unreadable,
            "examples": group.examples,
        }
        for queue, several in found.items()
        for group in several.largest_first()
    ]
    return {
        "letters": sum(several.count for several in found.values()),
        "groups": items,
        "notWhole": {queue: several.stopped for queue, several in found.items() if several.stopped is not None},
    }


def letter(one: Letter, *, now_ms: int) -> dict[str, Any]:
    """A letter without its body."""
    return {
        "messageId": one.id,
        "queue": one.queue,
        "cause": _name(one.cause.key),
        "eventId": _name(one.event_id),
        "eventType": _name(one.event_type),
        "orderId": _name(one.order_id),
        "sentAt": moment(one.message.sent_at_ms),
        "ageSeconds": max(0, now_ms - one.message.sent_at_ms) // 1000,
        "attempts": one.attempts,
        "timesRedriven": one.redrive_count,
        "unreadable": _name(one.unreadable),
    }


def whole_letter(one: Letter, standing: Standing, acts: Sequence[Mapping[str, Any]], *, now_ms: int) -> dict[str, Any]:
    """A letter with everything that is known about it. What is no envelope is cut and escaped: it may be anything."""
    return {
        **letter(one, now_ms=now_ms),
        "meaning": one.cause.words,
        "said": None if one.cause.said is None else shown(one.cause.said, characters_max=VALUE_SHOWN_MAX),
        "redrivenFrom": _name(one.redriven_from),
        "order": {
            "state": standing.state,
            "version": standing.version,
            "wanted": standing.wanted,
            "words": standing.words,
        },
        "attributes": {
            shown(name, characters_max=NAME_SHOWN_MAX): shown(value, characters_max=VALUE_SHOWN_MAX)
            for name, value in sorted(one.message.attributes.items())
        },
        "body": shown_body(one),
        "bodySha256": one.body_sha256,
        "done": list(acts),
    }


def report(run: Report) -> dict[str, Any]:
    """What a redrive did."""
    return {
        "queue": run.queue,
        "dryRun": run.dry_run,
        "lookedAt": run.looked_at,
        "notMeant": run.not_meant,
        "counts": dict(sorted(run.counts.items())),
        "notWhole": run.stopped,
        "letters": [
            {
                "messageId": told.letter,
                "eventId": _name(told.event),
                "eventType": _name(told.event_type),
                "orderId": _name(told.order),
                "outcome": told.outcome,
                "why": told.why,
            }
            for told in run.letters
        ],
        "lettersOmitted": run.letters_omitted,
    }


def purge(done: Purge, *, now_ms: int) -> dict[str, Any]:
    """What was, or would be, deleted."""
    return {
        "queue": done.queue,
        "purged": done.purged,
        "count": len(done.letters),
        "shown": done.shown,
        "notWhole": done.stopped,
        "letters": [letter(one, now_ms=now_ms) for one in done.letters[:100]],
        "lettersOmitted": max(0, len(done.letters) - 100),
    }


def _name(text: str | None) -> str | None:
    return None if text is None else shown(text, characters_max=NAME_SHOWN_MAX)
