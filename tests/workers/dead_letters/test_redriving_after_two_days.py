"""A redrive two days later never charges twice, although the provider has forgotten its idempotency keys by then."""

import anyio
import pytest

from orderstore.domain.money import Money
from tests.virtual_time import run_virtual
from tests.workers.dead_letters.desks import DeskWorld
from workers.payment.gateway import Authorized, GatewayTimeout, PaymentGateway, Result, always
from workers.payment.handler import PaymentHandler
from workers.runtime.outcome import Done

KEYS_KEPT_S = 24 * 3_600.0
"""What Stripe promises: docs.stripe.com/api/idempotent_requests."""
TWO_DAYS_S = 2 * 86_400.0


class ForgetfulProvider(PaymentGateway):
    """Moves money, honours idempotency keys for a day only, and finds what it did by the reference that came with it.

    `silent` answers are lost on their way after the money has moved; `deaf` requests never arrive.
    """

    def __init__(self) -> None:
        self.charges: list[tuple[str, int]] = []
        self.silent = 0
        self.deaf = 0
        self.finds = 0
        self.unfindable = False
        self._answers: dict[str, tuple[float, Result]] = {}

    async def authorize(
        self, attempt_key: str, *, amount: Money, order_reference: str, capture: bool, **_more: object
    ) -> Result:
        await anyio.lowlevel.checkpoint()
        if self.deaf:
            self.deaf -= 1
            raise GatewayTimeout("no answer")
        at_s, known = self._answers.get(attempt_key, (-KEYS_KEPT_S, Authorized("none")))
        if anyio.current_time() - at_s < KEYS_KEPT_S:
            result = known
        else:
            self.charges.append((attempt_key, amount.minor))
            result = Authorized(f"charge-{len(self.charges)}")
            self._answers[attempt_key] = (anyio.current_time(), result)
        if self.silent:
            self.silent -= 1
            raise GatewayTimeout("no answer")
        return result

    async def find(self, attempt_key: str) -> Result | None:
        await anyio.lowlevel.checkpoint()
        self.finds += 1
        if self.silent or self.unfindable:
            self.silent -= self.silent > 0
            raise GatewayTimeout("no answer")
        made = [number for number, (key, _) in enumerate(self.charges, start=1) if key == attempt_key]
        return Authorized(f"charge-{made[0]}") if made else None

    async def capture(self, key: str, *, reference: str, amount: Money, **_more: object) -> str:
        raise AssertionError("nothing is dispatched here")

    async def void(self, key: str, *, reference: str) -> None:
        raise AssertionError("nothing is cancelled here")

    async def refund(self, key: str, *, reference: str, amount: Money) -> str:
        raise AssertionError("nothing is refunded here")

    async def close(self, attempt_key: str) -> None:
        raise AssertionError("nothing is tried twice here")


async def _died_three_times(provider: ForgetfulProvider) -> tuple[DeskWorld, str]:
    """An order whose payment message was received three times, timed out each time, and is a dead letter now."""
    world = DeskWorld()
    world.handlers["payment"] = PaymentHandler(
        world.orders,
        gateway_for=always(provider),
        attempts=world.attempts,
        hint=world.hint,
        now_ms=world.now_ms,
        capture="at_once",
        sandbox=True,
    )
    order_id = await world.place()
    body = next(message.body for name, message in world.messages if name == "payment")
    queue = world.queues["payment"]
    await queue.send(body)
    for _ in range(3):
        (message,) = await queue.receive(max_messages=1, wait_s=0, visibility_timeout_s=120)
        with pytest.raises(GatewayTimeout):
            await world.handlers["payment"](message)
        await anyio.sleep(120)
    assert await queue.receive(max_messages=1, wait_s=0, visibility_timeout_s=120) == []
    assert await world.letters() == 1
    return world, order_id


@pytest.mark.parametrize("silent", [3, 1])
def test_what_was_charged_before_the_time_out_is_found_and_not_charged_again(silent: int) -> None:
    """The attempt's row says that somebody has begun, so the provider is asked by reference; no key protects any more."""  # D13

    async def story() -> None:
        provider = ForgetfulProvider()
        provider.silent = silent
        if silent == 1:
            provider.unfindable = True
        world, order_id = await _died_three_times(provider)
        assert len(provider.charges) == 1
        provider.unfindable = False
        await anyio.sleep(TWO_DAYS_S)

        report = await world.redrive()

        assert report["counts"] == {"redriven": 1}
        assert await world.work("payment") == 1
        assert len(provider.charges) == 1, "the customer paid once"
        assert provider.finds > 0
        history = await world.orders.load(order_id)
        assert [past.name for past in history.events] == ["OrderCreated", "PaymentCompleted"]

    run_virtual(story)


def test_the_provider_of_this_test_really_forgets() -> None:
    """Without the attempt's row it would charge twice: the test above would be worth nothing otherwise."""

    async def story() -> None:
        provider = ForgetfulProvider()
        for _ in range(2):
            await provider.authorize("k", amount=Money(100, "USD"), order_reference="o", capture=True)
        assert len(provider.charges) == 1
        await anyio.sleep(TWO_DAYS_S)
        await provider.authorize("k", amount=Money(100, "USD"), order_reference="o", capture=True)
        assert len(provider.charges) == 2

    run_virtual(story)


def test_what_was_never_charged_is_charged_once_two_days_later_whoever_redrives_how_often() -> None:
    """Neither none nor two: also when copies of the letter are sent on again and again."""

    async def story() -> None:
        provider = ForgetfulProvider()
        provider.deaf = 3
        world, order_id = await _died_three_times(provider)
        assert provider.charges == []
        (letter,) = (await world.desk.letters("payment", {}))["items"]
        body = next(message.body for name, message in world.history if name == "payment")
        for _ in range(3):
            await anyio.sleep(TWO_DAYS_S)
            await world.redrive(even_if_moved_on=True)
            await world.work("payment")
            await world.bury("payment", body)

        assert len(provider.charges) == 1
        history = await world.orders.load(order_id)
        assert [past.name for past in history.events] == ["OrderCreated", "PaymentCompleted"]
        assert letter["orderId"] == order_id

    run_virtual(story)


def test_of_two_redriven_copies_side_by_side_one_charges() -> None:
    """Both workers have the message at the same time, and the provider remembers no key."""

    async def story() -> None:
        provider = ForgetfulProvider()
        provider.silent = 3
        world, _ = await _died_three_times(provider)
        await anyio.sleep(TWO_DAYS_S)
        await world.redrive()
        (message,) = await world.waiting()
        done = []

        async def work() -> None:
            done.append(await world.handlers["payment"](message))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(work)
            tasks.start_soon(work)

        assert done == [Done(), Done()]
        assert len(provider.charges) == 1

    run_virtual(story)
