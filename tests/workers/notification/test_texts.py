"""What people read: every text renders, says the same in each form, and nothing that somebody typed becomes markup."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any

import pytest

from orderstore.domain import events as e
from orderstore.registry import BY_NAME, consumed_by
from tests.builders import DECLINED, DISPATCHED, PAID, RESERVED, order_created
from tests.orderstore.golden_events import COMPLETE, MINIMAL
from tests.orderstore.golden_orders import BARE_CHARGER
from tests.workers.notification.channel_fakes import OPERATORS_ONLY, note_of
from workers.notification.chat import slack_payload, teams_payload
from workers.notification.sms_text import length_of
from workers.notification.texts import TEMPLATES, Rendered, Texts, UnknownTemplate

TEXTS = Texts()
SHORT_OF_MUCH = e.InventoryFailed(
    missing=tuple(e.MissingStock(sku=f"SKU-{number}", wanted=2, available=1) for number in range(12))
)
EXAMPLES: dict[str, e.Event] = {
    "PaymentCompleted": PAID,
    "PaymentFailed": DECLINED,
    "InventoryReserved": RESERVED,
    "InventoryFailed": SHORT_OF_MUCH,
    "ShipmentDispatched": DISPATCHED,
    "OrderCancelled": e.OrderCancelled(reason="customer", compensations=()),
    "OrderRejected": e.OrderRejected(reasons=("payment_failed", "inventory_failed")),
    "OrderHeld": e.OrderHeld(hold_id="h-1", reason="fraud_review"),
    "RefundIssued": e.RefundIssued(refund_id="r-1", amount_minor=2_500, provider_reference="re_1"),
    "LinesCancelled": COMPLETE["LinesCancelled"],
    "OrderActionRequired": COMPLETE["OrderActionRequired"],
    "OrderEditApplied": COMPLETE["OrderEditApplied"],
    "OrderEditDeclined": COMPLETE["OrderEditDeclined"],
    "PaymentDisputed": COMPLETE["PaymentDisputed"],
    "ShipmentFailed": COMPLETE["ShipmentFailed"],
    "ShipmentDelayed": COMPLETE["ShipmentDelayed"],
    "ReturnApproved": COMPLETE["ReturnApproved"],
    "ReturnDeclined": COMPLETE["ReturnDeclined"],
}
DEADLINE = datetime(2026, 3, 4, 12, tzinfo=UTC)
GONE = e.LinesCancelled(
    cancellation_id="c", lines=(e.Pieces(line=1, quantity=2),), amount_minor=5_000, reason="customer"
)
# Where one event says different things: (event, what it says by mail and in the inbox, what it does not say).
VARIANTS: list[tuple[e.Event, str, str]] = [
    (GONE, "You pay 50.00 USD less.", "back to you"),
    (replace(GONE, refund_id="r-1"), "50.00 USD are on their way back to you.", "less"),
    (replace(GONE, amount_minor=0), "2 x MOUSE-002.", "USD"),
    (e.OrderActionRequired(action_id="a", kind="payment", deadline=DEADLINE), "by 4 March 2026, 12:00 UTC", "stock"),
    (e.OrderActionRequired(action_id="a", kind="missing_stock", deadline=DEADLINE), "we send what is there", "later"),
    (e.OrderActionRequired(action_id="a", kind="delay_consent", deadline=DEADLINE), "you want to wait", "stock"),
    (e.OrderActionRequired(action_id="a", kind="edit_payment", deadline=DEADLINE), "what you added", "cancelled"),
    (COMPLETE["OrderEditApplied"], "2 x 65 W. You pay 39.98 USD more.", "less"),
    (e.OrderEditApplied(edit_id="e", lines=BARE_CHARGER, amount_minor=0), "2 x CHARGER-003.", "USD"),
    (e.OrderEditDeclined(edit_id="e", reason="out_of_stock"), "not all of it is in stock. The order itself", "bank"),
    (e.OrderEditDeclined(edit_id="e", reason="payment_failed"), "your payment did not go through", "stock"),
    (e.OrderEditDeclined(edit_id="e", reason="not_in_time"), "did not hear from you in time", "stock"),
    (e.OrderEditDeclined(edit_id="e", reason="withdrawn"), "since it was taken back", "stock"),
    (e.OrderEditDeclined(edit_id="e", reason="order_undone"), "the order is being cancelled.", "stays"),
    (COMPLETE["ShipmentDelayed"], "We need your consent by 4 March 2026, 12:00 UTC", "sorry"),
    (MINIMAL["ShipmentDelayed"], "by 10 April 2026, 12:00 UTC. We are sorry", "consent"),
]
CHANNELS = ("email", "sms", "slack", "teams")
VOID = {"meta", "br", "img", "hr", "link", "input"}


class Reader(HTMLParser):
    """Reads HTML as a browser would, and insists that what is opened is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.said: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.said.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.said).split())


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader


def render(event_type: str, channel: str, *, name: str | None = "Ada", **order: Any) -> Any:
    return TEXTS.render(
        TEMPLATES[event_type], channel, order=order_created(**order), event=EXAMPLES[event_type], name=name
    )


def test_there_is_an_example_of_everything() -> None:
    """And a template for each event that the queue lets through."""  # E024
    assert set(EXAMPLES) == set(TEMPLATES) == set(consumed_by("notification"))
    assert all(BY_NAME[name].event is type(event) for name, event in EXAMPLES.items())


@pytest.mark.parametrize("event_type", sorted(TEMPLATES))
@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("name", ["Ada", None])
def test_every_text_renders(event_type: str, channel: str, name: str | None) -> None:
    """With a name and without; every event has one for operators, and most have one for customers."""
    if not TEXTS.has(TEMPLATES[event_type], channel):
        assert event_type in OPERATORS_ONLY
        assert channel in ("email", "sms")
        return
    found = render(event_type, channel, name=name)
    assert found.text.strip()
    for text in (found.subject, found.text, found.html or ""):
        assert "None" not in text
        assert "{" not in text.replace("{% ", "")
    assert ("Ada" in found.text) == (name is not None and channel == "email")


@pytest.mark.parametrize("event_type", sorted(set(TEMPLATES) - OPERATORS_ONLY))
def test_a_mails_two_parts_say_the_same(event_type: str) -> None:
    """Whoever reads plain text misses nothing; the title is the subject."""  # E026
    assert_same_in_both(render(event_type, "email", reference="REF-7"))


def assert_same_in_both(mail: Rendered) -> None:
    assert mail.html is not None
    reader = read(mail.html)
    title, _, body = reader.words.partition(mail.subject)
    assert title == ""
    said = body.partition(mail.subject)[2].strip()
    assert re.sub(r"\s+([.,;])", r"\1", said) == " ".join(mail.text.split())


@pytest.mark.parametrize(("event", "said", "unsaid"), VARIANTS)
def test_each_case_of_an_event_is_told_as_what_it_is(event: e.Event, said: str, unsaid: str) -> None:
    """By mail, in both parts, and in the inbox; deadlines are written out, with their zone."""
    template = TEMPLATES[type(event).__name__]
    mail = TEXTS.render(template, "email", order=order_created(reference="R-7"), event=event, name=None)
    note = TEXTS.render(template, "inbox", order=order_created(reference="R-7"), event=event, name=None)
    assert_same_in_both(mail)
    for text in (mail.text, note.text):
        assert said in text
        assert unsaid not in text
        assert " ." not in text
    assert note.text[0].isupper()
    sms = TEXTS.render(template, "sms", order=order_created(), event=event, name=None).text
    assert length_of(sms).parts == 1


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (datetime(2026, 12, 31, 23, 59, tzinfo=UTC), "31 December 2026, 23:59 UTC"),
        (datetime(2026, 5, 1, 0, 30, tzinfo=timezone(timedelta(hours=2))), "30 April 2026, 22:30 UTC"),
    ],
)
def test_a_deadline_is_written_out_in_utc(at: datetime, expected: str) -> None:
    """Wherever it was set: nobody has to guess its zone."""
    event = e.OrderActionRequired(action_id="a", kind="payment", deadline=at)

    assert (
        expected
        in TEXTS.render("order_action_required.v1", "email", order=order_created(), event=event, name=None).text
    )


def test_many_cancelled_lines_are_ten_and_so_many_more() -> None:
    """A mail is no packing list."""
    lines = tuple(e.Pieces(line=at % 2, quantity=1) for at in range(12))
    found = TEXTS.render(
        "lines_cancelled.v1", "email", order=order_created(), event=replace(GONE, lines=lines), name=None
    )

    assert found.text.count("1 x ") == 10
    assert "1 x MOUSE-002 and 2 more." in found.text


def test_a_mail_loads_nothing_and_runs_nothing() -> None:
    """No picture that tells who opened it, no script, no form, no link: nothing that a mail may not need."""
    for event_type in sorted(set(TEMPLATES) - OPERATORS_ONLY):
        reader = read(render(event_type, "email").html)
        assert set(reader.tags) <= {
            "html", "head", "meta", "title", "body", "table", "tr", "td", "h1", "p", "strong"
        }  # fmt: skip
        assert not [name for name, _ in reader.attributes if name.startswith("on") or name in ("href", "src")]
        assert "url(" not in str(reader.attributes)


@pytest.mark.parametrize(
    "typed", ["<b>bold</b>", "<script>alert(1)</script>", '"><img src=x onerror=1>', "{{ 7 * 7 }}", "&lt;", "a & b"]
)
def test_nothing_that_a_customer_typed_becomes_markup(typed: str) -> None:
    """Names and references are text in the HTML, letter for letter; and no template runs twice."""
    reader = read(render("PaymentCompleted", "email", name=typed, reference=typed).html)
    assert set(reader.tags) & {"b", "script", "img"} == set()
    assert " ".join(typed.split()) in reader.words
    assert "49" not in reader.words


def test_a_subject_is_one_short_line() -> None:
    """Whatever the reference is: a line break would be a header of the attacker's."""
    found = render("PaymentCompleted", "email", reference="A\r\nBcc: x@example.com " + "x" * 500)
    assert "\n" not in found.subject
    assert len(found.subject) <= 200


@pytest.mark.parametrize("event_type", sorted(set(TEMPLATES) - OPERATORS_ONLY))
def test_an_sms_is_one_part_of_the_cheap_alphabet(event_type: str) -> None:
    """With an order's own id, which is longer than most references."""  # E027
    text = render(event_type, "sms", order_id="6f0c0ac4-5a7c-5b11-8f2e-0d7a4f6f0001").text
    assert length_of(text).alphabet == "GSM-7"
    assert length_of(text).parts == 1


@pytest.mark.parametrize("event_type", sorted(TEMPLATES))
@pytest.mark.parametrize("payload", [slack_payload, teams_payload], ids=["slack", "teams"])
def test_a_chat_reads_nothing_as_markup(event_type: str, payload: Any) -> None:
    """What an operator sees of a customer's words are those words: no link, no mention of everybody."""  # E029
    evil = "<!channel> <https://evil.example|click> [click](https://evil.example) *b*"
    order = order_created(customer_id=evil, total_exact=Decimal(1))
    found = TEXTS.render(TEMPLATES[event_type], "slack", order=order, event=EXAMPLES[event_type], name=None)
    card = payload(note_of(channel="slack", subject=f"{found.subject} {evil}", text=found.text))
    kinds = {kind for kind, text in texts_in(card) if "evil" in text}
    assert kinds <= {"plain_text", "TextRun", "escaped", "fallbackText"}
    assert evil in [text for kind, text in texts_in(card) if kind in ("plain_text", "TextRun")][-1] or kinds


def texts_in(value: Any, kind: str = "") -> list[tuple[str, str]]:
    """Every text of a payload, with the type of what holds it."""
    found = []
    if isinstance(value, dict):
        held = str(value.get("type", kind))
        for name, inner in value.items():
            if isinstance(inner, str) and name == "text":
                top = held not in ("plain_text", "TextRun")
                assert not top or "<" not in inner, "a text that Slack reads as markup has its brackets escaped"
                found.append(("escaped" if top else held, inner))
            elif isinstance(inner, str) and name == "fallbackText":
                found.append(("fallbackText", inner))
            else:
                found += texts_in(inner, held)
    elif isinstance(value, list):
        for inner in value:
            found += texts_in(inner, kind)
    return found


def test_a_long_list_is_cut_for_operators() -> None:
    """Twelve missing goods are ten, and two more."""
    assert "SKU-9 (2 wanted, 1 there) and 2 more." in render("InventoryFailed", "slack").text


def test_the_template_of_a_newer_build_is_told_from_a_bug() -> None:
    """While a deployment rolls, its record waits for a worker that can read it."""
    with pytest.raises(UnknownTemplate, match=r"order_rejected\.v9\.email"):
        TEXTS.render("order_rejected.v9", "email", order=order_created(), event=EXAMPLES["OrderRejected"], name=None)
