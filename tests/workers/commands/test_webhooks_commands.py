"""`orderstore webhooks …` over the desk in memory: what is asked of it, what is shown, what is refused before anything is asked."""

import json
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import pytest
import typer
from typer.testing import CliRunner, Result

from tests.workers.webhooks.world import World, answering, message
from workers.cli import build
from workers.commands.webhooks import endpoints, telling
from workers.commands.webhooks.options import LATE_S, following
from workers.webhooks.desk import WebhooksDesk
from workers.webhooks.errors import NotPossible, UnknownDelivery, UnknownEndpoint


class Shop:
    """A world that lives as long as a test; each command runs in a loop of its own, as in life, and a sender runs beside it if asked."""

    def __init__(self) -> None:
        self.world: World | None = None
        self.sending = False
        self.status = 200

    def at_desk(self, _state_dir: Any, work: Callable[[WebhooksDesk], Awaitable[Any]]) -> Any:
        async def main() -> Any:
            world = self.world = self.world or World()
            world.started_at = anyio.current_time()
            world.network.behaviours["one.example"] = answering(self.status)
            if not self.sending:
                return await work(world.desk)
            async with world.running():
                return await work(world.desk)

        return anyio.run(main)

    def hear(self, *events: str) -> None:
        async def main() -> None:
            assert self.world is not None
            handler, _ = self.world.process()
            for event in events:
                await handler(message(event))

        anyio.run(main)


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Shop:
    made = Shop()

    def told(state_dir: Any, work: Any) -> Any:
        try:
            return made.at_desk(state_dir, work)
        except (NotPossible, UnknownEndpoint, UnknownDelivery) as error:
            raise typer.BadParameter(str(error)) from error

    monkeypatch.setattr(endpoints, "at_desk", told)
    monkeypatch.setattr(telling, "at_desk", told)
    monkeypatch.setattr(telling, "TEST_LOOK_S", 0.02)
    return made


def run(*arguments: str) -> Result:
    return CliRunner().invoke(build(), ["webhooks", *arguments])


def added(*arguments: str) -> str:
    result = run("add", "https://one.example/hook", "--reason", "t", "--by", "olga", *arguments)
    assert result.exit_code == 0, result.output
    return re.findall(r"whe_\w+", result.output)[0]


def test_an_endpoint_is_added_listed_changed_and_its_secret_shown_once(shop: Shop) -> None:
    """In words; the secret in the answers of add and rotate alone."""
    made = run(
        "add", "https://one.example/hook", "--type", "OrderCancelled", "--description", "theirs", "--reason", "t"
    )
    endpoint = re.findall(r"whe_\w+", made.output)[0]
    rotated = run("rotate", endpoint, "--reason", "yearly", "--overlap-hours", "1")
    changed = run("change", endpoint, "--every-type", "--reason", "more", "--by", "olga")
    disabled = run("disable", endpoint, "--reason", "INC-7")
    listed, shown = run("ls"), run("show", endpoint)

    assert "whsec_" in made.output
    assert "whsec_" in rotated.output
    assert "event types: OrderCancelled" in made.output
    assert "event types: every public one" in changed.output
    assert "disabled (operator)" in disabled.output
    assert "1 endpoints" in listed.output
    assert "operator olga: changed event types: more" in shown.output
    assert "whsec_" not in "".join(one.output for one in (changed, disabled, listed, shown))
    assert shown.output.count("  secret ") == 2
    assert run("enable", endpoint, "--reason", "back").exit_code == 0
    assert json.loads(run("ls", "--json").output)["endpoints"][0]["state"] == "enabled"
    assert run("remove", endpoint, "--reason", "over", "--yes").exit_code == 0
    assert "0 endpoints" in run("ls").output


def test_what_is_wrong_is_a_wrong_option(shop: Shop) -> None:
    """Exit 2, in words, and nothing is changed."""
    endpoint = added()
    for wrong in (
        ("add", "http://one.example/", "--reason", "t"),
        ("add", "https://one.example/"),
        ("show", "whe_none"),
        ("change", endpoint, "--reason", "t"),
        ("change", endpoint, "--reason", "t", "--type", "OrderCreated", "--every-type"),
        ("attempts", endpoint, "--state", "lost"),
        ("attempts", endpoint, "--event", "e-none"),
        ("replay", endpoint, "--from", "yesterday", "--to", "2026-01-01", "--reason", "t"),
        ("replay", endpoint, "--from", "2026-01-01", "--to", "2027-01-01"),
        ("replay", endpoint, "--from", "2027-01-01", "--to", "2026-01-01", "--dry-run"),
        ("redeliver", endpoint, "e-none", "--reason", "t"),
        ("rotate", endpoint, "--reason", "t", "--overlap-hours", "999"),
    ):
        assert run(*wrong).exit_code == 2, wrong
    assert len(json.loads(run("show", endpoint, "--json").output)["changes"]) == 1


def test_a_test_tells_what_came_back_and_fails_unless_it_was_taken(shop: Shop) -> None:
    """Exit 1 for a refusal, and for a sender that does not run."""
    endpoint = added()
    shop.sending = True
    taken = run("test", endpoint)
    shop.status = 500
    refused = run("test", endpoint)

    assert (taken.exit_code, refused.exit_code) == (0, 1)
    assert "webhook.test : delivered" in taken.output
    assert "500 status" in refused.output


def test_attempts_and_replays_in_words(shop: Shop) -> None:
    """What was put aside is listed, replayed once, and shown with its attempts."""
    endpoint = added()
    run("disable", endpoint, "--reason", "t")
    shop.hear("e-1", "e-2")
    run("enable", endpoint, "--reason", "t")
    listed = run("attempts", endpoint, "--state", "skipped")
    span = ("--from", "2026-05-01", "--to", "2026-06-01T00:00:00+02:00")
    looked = run("replay", endpoint, *span, "--dry-run")
    done = run("replay", endpoint, *span, "--reason", "INC-7", "--rate", "200")
    again = run("replay", endpoint, *span, "--reason", "INC-7")
    one = run("attempts", endpoint, "--event", "e-1")

    assert "2 deliveries" in listed.output
    assert "2 events would be sent again" in looked.output
    assert "2 events sent again" in done.output
    assert "0 events sent again (0 for the first time), 2 wait already" in again.output
    assert "e-1 OrderCancelled o-1: pending, due since 20" in one.output
    assert "held while the endpoint is down, or no sender runs" in one.output
    assert "e-1 OrderCancelled o-1: skipped, not tried\n" in listed.output
    assert run("redeliver", endpoint, "e-1", "--reason", "t").exit_code == 0


def test_a_list_tells_tries_and_the_last_answer_also_as_json(shop: Shop) -> None:
    """One line is enough to see how it fares."""
    endpoint = added()
    shop.sending, shop.status = True, 503
    run("test", endpoint)
    shop.sending = False

    assert "pending, 1 tries, last answer 503, " in run("attempts", endpoint).output
    [one] = json.loads(run("attempts", endpoint, "--json").output)["deliveries"]
    assert (one["tries"], one["lastStatus"]) == (1, 503)
    assert one["nextAttemptAt"]


def test_what_is_past_its_time_is_said_to_be_so() -> None:
    """And what is still to come, or just due, has a next attempt."""
    at = datetime(2026, 11, 21, 18, 21, 46, tzinfo=UTC)
    pending = {"nextAttemptAt": at.isoformat()}

    assert following({"nextAttemptAt": None}) == ""
    for early in (-60, 0, LATE_S):
        assert following(pending, now=at + timedelta(seconds=early)).startswith(", next attempt 2026")
    late = following(pending, now=at + timedelta(seconds=LATE_S + 1))
    assert late.startswith(", due since 2026")
    assert "held while the endpoint is down, or no sender runs" in late


def test_a_test_that_nobody_tried_says_what_can_be_the_cause(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The breaker is none: a test passes it by."""
    monkeypatch.setattr(telling, "TEST_WAIT_S", 0.05)
    result = run("test", added())

    assert result.exit_code == 1
    assert "Nobody has tried it" in result.output
    assert "--event test_" in result.output
