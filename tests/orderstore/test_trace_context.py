"""W3C Trace Context: what is well-formed is understood, what is not is as good as absent, and nothing else is ever passed on."""

from contextlib import suppress

import anyio
import pytest

from orderstore.recorded import Actor, Cause
from orderstore.tracing import CHARACTERS_MAX, TraceContext, continued, current, parse_traceparent, working_in
from tests.virtual_time import run_virtual

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GOOD = f"00-{TRACE}-{SPAN}-01"


def test_the_specification_s_example_is_understood_and_written_the_same() -> None:
    """Section 3.2.2.5: version 00, trace, span, and the sampled flag."""
    context = parse_traceparent(GOOD)

    assert context is not None
    assert (context.trace_id, context.span_id, context.is_sampled) == (TRACE, SPAN, True)
    assert context.traceparent == GOOD


@pytest.mark.parametrize(
    ("flags", "kept"), [("00", "00"), ("01", "01"), ("02", "02"), ("03", "03"), ("ff", "03"), ("08", "00")]
)
def test_only_flags_that_are_known_are_passed_on(flags: str, kept: str) -> None:
    """Sampled, and since level 2 random; "unknown flags must be set to zero"."""
    context = parse_traceparent(f"00-{TRACE}-{SPAN}-{flags}")

    assert context is not None
    assert context.traceparent == f"00-{TRACE}-{SPAN}-{kept}"


@pytest.mark.parametrize("rest", ["", "-", "-more", "-01-02", "-" + "x" * 100, "-any\nthing"])
def test_a_newer_version_is_read_as_far_as_it_is_known(rest: str) -> None:
    """Section 3.2.4: ids and the sampled flag, whatever follows behind another dash; it goes on as the newest version we know."""
    context = parse_traceparent(f"cc-{TRACE}-{SPAN}-03{rest}")

    assert context is not None
    assert context.traceparent == GOOD


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"cc-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN.upper()}-01",
        f"00-{TRACE}-{SPAN}-0A",
        f"0x-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-01-",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}-01\n",
        f"cc-{TRACE}-{SPAN}-01more",
        f"cc-{TRACE}-{SPAN}-0",
        f" {GOOD}",
        f"{GOOD} ",
        f"{GOOD},{GOOD}",
        f"00_{TRACE}_{SPAN}_01",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}0-01",
        f"00-{'٤' * 32}-{SPAN}-01",
        f"cc-{TRACE}-{SPAN}-01-" + "x" * CHARACTERS_MAX,
    ],
)
def test_what_is_not_well_formed_is_as_good_as_absent(text: str) -> None:
    """No error, and nothing is guessed."""
    assert parse_traceparent(text) is None


def test_no_traceparent_is_no_trace() -> None:
    """The ordinary case."""
    assert parse_traceparent(None) is None


def inside(context: TraceContext) -> TraceContext | None:
    """Where a block is that an error ends."""
    seen = None
    with suppress(RuntimeError), working_in(context):
        seen = current()
        raise RuntimeError
    return seen


def test_what_is_written_inside_a_span_belongs_to_it_and_outside_to_its_cause() -> None:
    """Spans lie in each other; what comes behind one is where it was before."""
    outer, inner = parse_traceparent(GOOD), parse_traceparent(f"00-{TRACE}-{'1' * 16}-00")
    assert outer is not None
    assert inner is not None

    assert (current(), continued("given"), continued(None)) == (None, "given", None)
    with working_in(outer):
        assert continued("given") == GOOD
        assert inside(inner) == inner
        assert current() == outer
    assert current() is None


def test_tasks_do_not_see_each_other_s_spans() -> None:
    """A task inherits where it was started, and changes nobody else's place."""

    async def scenario() -> None:
        seen: list[str | None] = []
        first = parse_traceparent(GOOD)
        assert first is not None

        async def child(span: str) -> None:
            seen.append(continued(None))
            context = parse_traceparent(f"00-{TRACE}-{span * 16}-01")
            assert context is not None
            with working_in(context):
                await anyio.sleep(1)
                assert current() == context

        with working_in(first):
            async with anyio.create_task_group() as tasks:
                for span in "123":
                    tasks.start_soon(child, span)
            assert current() == first
        assert seen == [GOOD] * 3

    run_virtual(scenario)


def test_an_event_s_id_does_not_depend_on_the_trace_it_was_written_in() -> None:
    """The same work under another trace is the same event."""  # E072
    actor = Actor("service", "payment")
    causes = [
        Cause(causation_id="c", purpose="p", correlation_id="o", actor=actor, source="payment", traceparent=trace)
        for trace in (None, GOOD)
    ]

    assert causes[0].event_id(0) == causes[1].event_id(0)
