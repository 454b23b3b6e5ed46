"""Schemathesis on one order from its placing on: each step is drawn, and names what the steps before have made.

Whatever the order of the steps, each answer is one that is described, and at the end the log, the view and the answers tell one story.
"""

from typing import Any

import pytest
from hypothesis import given, note, seed
from hypothesis import strategies as st

from tests.seeds import seeds

pytestmark = pytest.mark.thorough

ORDER = "/orders/{orderId}"
STEPS = (
    *(f"GET {ORDER}{place}" for place in ("", "/changes", "/events", "/invoices", "/lines", "/live")),
    *(f"POST {ORDER}/{verb}" for verb in ("cancel", "refunds", "holds", "holds")),
    *(
        f"POST {ORDER}/{verb}"
        for verb in ("line-cancellations", "edits", "payment-attempts", "returns", "delays", "notes")
    ),
    *(f"POST {ORDER}/returns/{{returnId}}/{verb}" for verb in ("cancel", "receive", "inspection")),
    f"POST {ORDER}/holds/{{holdId}}/release",
)
STEPS_MAX = 8


@pytest.mark.parametrize("chosen", seeds(0, range(2)))
def test_the_story_of_an_order(chosen: int) -> None:
    """A few steps, of a new order and of one whose goods have left."""
    _stories(chosen, examples=12)


@pytest.mark.long
@pytest.mark.parametrize("chosen", range(2, 22))
def test_many_stories_of_orders(chosen: int) -> None:
    """The same by the hundred."""
    _stories(chosen, examples=100)


def _stories(chosen: int, *, examples: int) -> None:
    from tests.projections.http import stage

    print(f"seed {chosen}, {examples} stories")  # noqa: T201 - shown when it fails

    @seed(chosen)
    @stage.drawing(examples)
    @given(data=st.data())
    def run(data: st.DataObject) -> None:
        with stage.on_stage(), stage.client() as client:
            known = stage.STAGE.whole.known
            assert known.changed is not None
            order_id = data.draw(
                st.sampled_from([_placed(client), known.invoiced, known.changed.returns]), label="order"
            )
            holds, returns, made = ["no-such-hold"], ["no-such-return"], []
            for label in data.draw(st.lists(st.sampled_from(STEPS), min_size=2, max_size=STEPS_MAX), label="steps"):
                ids = {
                    "orderId": order_id,
                    "holdId": data.draw(st.sampled_from(holds)),
                    "returnId": data.draw(st.sampled_from(returns)),
                }
                named = {name: value for name, value in ids.items() if f"{{{name}}}" in label}
                case = data.draw(stage.operation(label).as_strategy(path_parameters=named))
                answer = stage.check(case)
                note(f"{label}: {answer.status_code}")
                if label.startswith("POST") and answer.status_code < 300:
                    made.append(answer.json()["eventId"])
                    if label.endswith("/holds"):
                        holds.append(answer.json()["holdId"])
                    if label.endswith("/returns"):
                        returns.append(answer.json()["returnId"])
            _is_one_story(client, order_id, made)

    run()


def _placed(client: Any) -> str:
    from tests.projections.http.stage import HEADERS, described

    examples = described().raw_schema["paths"]["/orders"]["post"]["requestBody"]["content"]["application/json"]
    body = examples["examples"]["article"]["value"]
    return str(client.post("/orders", json=body, headers=HEADERS).json()["orderId"])


def _is_one_story(client: Any, order_id: str, made: list[str]) -> None:
    """Every event that an answer named is in the log, once; versions have no hole; the view and the log show the same order."""
    from tests.projections.http.stage import HEADERS

    events = client.get(f"/orders/{order_id}/events?limit=100", headers=HEADERS).json()["items"]
    assert [event["version"] for event in events] == list(range(1, len(events) + 1))
    assert set(made) <= {event["eventId"] for event in events}
    seen, folded = (
        client.get(f"/orders/{order_id}", params={"consistency": how}, headers=HEADERS).json()
        for how in ("eventual", "strong")
    )
    assert seen == folded
    assert seen["version"] == len(events)
