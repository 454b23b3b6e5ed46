"""Settings: read once, refused with every problem at once, and never guessed."""

import pytest

from orderstore.asked_terms import Promises
from orderstore.domain.allowances import DEFAULTS
from orderstore.domain.events import Allowances, Terms
from orderstore.registry import CONSUMERS
from workers import settings as module
from workers.settings import ROLES, Settings, SettingsError, from_environment, is_configured

REQUIRED = {
    "ORDERSTORE_RESOURCE_PREFIX": "shop",
    "ORDERSTORE_TOPIC_ARN": "arn:aws:sns:eu-west-1:111122223333:shop-order-events",
    "ORDERSTORE_BLOBS_BUCKET": "shop-blobs",
    "ORDERSTORE_KMS_KEY_ID": "alias/shop",
    "ORDERSTORE_AUDIT_BUCKET": "shop-audit",
    "ORDERSTORE_SIGNING_KEY_ID": "alias/shop-audit",
    "ORDERSTORE_PROVIDERS": "sandbox",
}


def problems_of(**changes: str | None) -> list[str]:
    environment = {name: value for name, value in {**REQUIRED, **changes}.items() if value is not None}
    with pytest.raises(SettingsError) as refused:
        from_environment(environment)
    return refused.value.problems


def test_the_required_variables_are_enough() -> None:
    """Everything else has a default, and the defaults do not contradict each other."""
    settings = from_environment(REQUIRED)

    assert settings.resource_prefix == "shop"
    assert (settings.visibility_timeout_s, settings.handler_deadline_s, settings.max_receive_count) == (120, 15, 3)


def test_orders_go_by_the_usual_terms_unless_somebody_says_otherwise() -> None:
    """Each word of them is a variable."""
    assert from_environment(REQUIRED).terms == Terms()
    assert from_environment(REQUIRED).return_days == 14
    told = {
        "MISSING_STOCK": "backorder",
        "CHARGE": "per_shipment",
        "PAYMENT_RETRY_S": "1",
        "RESERVATION_S": "2",
        "ANSWER_S": "60",
        "REVIEW": "true",
    }
    settings = from_environment({**REQUIRED, **{f"ORDERSTORE_TERMS_{name}": text for name, text in told.items()}})
    assert settings.terms == Terms(
        missing_stock="backorder", charge="per_shipment", payment_retry_s=1, reservation_s=2, answer_s=60, review=True
    )


def test_orders_are_promised_thirty_days_and_no_grace_unless_somebody_says_otherwise() -> None:
    """16 CFR 435.2 says 30 days where nothing was stated; work that began at once still does. Outcomes have a day at most."""
    assert from_environment(REQUIRED).promises == Promises(grace_s=0, ship_within_s=30 * 86_400)
    told = {"ORDERSTORE_TERMS_GRACE_S": "60", "ORDERSTORE_TERMS_SHIP_WITHIN_S": "0"}
    assert from_environment({**REQUIRED, **told}).promises == Promises(grace_s=60, ship_within_s=0)
    [problem] = problems_of(ORDERSTORE_ALLOWED_OUTCOMES_S="86401")
    assert problem.startswith("ORDERSTORE_ALLOWED_OUTCOMES_S: ")


def test_every_problem_is_told_at_once() -> None:
    """What is missing, what is unknown and what is wrong: one start is enough to learn of all of it."""
    problems = problems_of(ORDERSTORE_TOPIC_ARN=None, ORDERSTORE_API_PORTT="80", ORDERSTORE_QUEUE_WAIT_S="21")

    assert [problem.partition(":")[0] for problem in problems] == [
        "ORDERSTORE_API_PORTT",
        "ORDERSTORE_TOPIC_ARN",
        "ORDERSTORE_QUEUE_WAIT_S",
    ]


def test_views_are_written_in_batches_unless_somebody_says_otherwise() -> None:
    """PartiQL is the fast way; where it is missing, one word takes the plain one."""
    assert from_environment(REQUIRED).view_writes == "batch"
    assert from_environment({**REQUIRED, "ORDERSTORE_VIEW_WRITES": "single"}).view_writes == "single"
    [problem] = problems_of(ORDERSTORE_VIEW_WRITES="batched")
    assert problem.startswith("ORDERSTORE_VIEW_WRITES: ")


def test_a_typing_error_is_no_silent_default() -> None:
    """A variable of ours that nobody reads is refused; those of others are none of our business."""
    assert problems_of(ORDERSTORE_LOG_LEVL="debug") == ["ORDERSTORE_LOG_LEVL: unknown (see `orderstore settings`)"]
    assert from_environment({**REQUIRED, "LOG_LEVL": "debug"}).log_level == "info"


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("ORDERSTORE_TENANT", " "),
        ("ORDERSTORE_ALLOWED_OUTCOMES_S", "0"),
        ("ORDERSTORE_ALLOWED_DISPATCH_S", "-1"),
        ("ORDERSTORE_ALLOWED_DELIVERY_S", "31622401"),
        ("ORDERSTORE_ALLOWED_UNDO_S", "1.5"),
        ("ORDERSTORE_ALLOWED_REFUND_S", ""),
        ("ORDERSTORE_TERMS_MISSING_STOCK", "wait"),
        ("ORDERSTORE_TERMS_CHARGE", "later"),
        ("ORDERSTORE_TERMS_PAYMENT_RETRY_S", "2592001"),
        ("ORDERSTORE_TERMS_RESERVATION_S", "-1"),
        ("ORDERSTORE_TERMS_ANSWER_S", "59"),
        ("ORDERSTORE_TERMS_REVIEW", "yes"),
        ("ORDERSTORE_RETURN_DAYS", "-1"),
        ("ORDERSTORE_API_PORT", "65536"),
        ("ORDERSTORE_API_PORT", "80.5"),
        ("ORDERSTORE_API_PORT", ""),
        ("ORDERSTORE_HANDLER_DEADLINE_S", "nan"),
        ("ORDERSTORE_HANDLER_DEADLINE_S", "inf"),
        ("ORDERSTORE_HANDLER_DEADLINE_S", "0.5"),
        ("ORDERSTORE_LOG_LEVEL", "INFO"),
        ("ORDERSTORE_UNTRACKED_SKU", "maybe"),
        ("ORDERSTORE_PAYMENT_CONCURRENCY", "0"),
        ("ORDERSTORE_TOPIC_FIFO", "True"),
        ("ORDERSTORE_TOPIC_FIFO", "1"),
    ],
)
def test_a_value_out_of_its_bounds_is_refused_with_what_it_is(variable: str, text: str) -> None:
    """The problem names the variable and quotes the value."""
    (problem,) = problems_of(**{variable: text})

    assert problem.startswith(f"{variable}: ")
    assert problem.endswith(f"(it is {text!r})")


@pytest.mark.parametrize(
    ("changes", "variable"),
    [
        ({"ORDERSTORE_VISIBILITY_TIMEOUT_S": "89"}, "ORDERSTORE_VISIBILITY_TIMEOUT_S"),  # E078
        ({"ORDERSTORE_DRAIN_BUDGET_S": "60", "ORDERSTORE_STOP_TIMEOUT_S": "60"}, "ORDERSTORE_DRAIN_BUDGET_S"),
        ({"ORDERSTORE_RETRY_BASE_S": "301"}, "ORDERSTORE_RETRY_BASE_S"),
        ({"ORDERSTORE_TOPIC_FIFO": "true"}, "ORDERSTORE_TOPIC_FIFO"),
        (
            {"ORDERSTORE_TOPIC_ARN": "arn:aws:sns:eu-west-1:111122223333:shop-order-events.fifo"},
            "ORDERSTORE_TOPIC_FIFO",
        ),
        (
            {"ORDERSTORE_TERMS_CHARGE": "per_shipment", "ORDERSTORE_PAYMENT_CAPTURE": "at_once"},
            "ORDERSTORE_TERMS_CHARGE",
        ),
        ({"ORDERSTORE_AWS_ACCESS_KEY_ID": "key"}, "ORDERSTORE_AWS_ACCESS_KEY_ID"),
        ({"ORDERSTORE_AWS_SECRET_ACCESS_KEY": "secret"}, "ORDERSTORE_AWS_ACCESS_KEY_ID"),
        ({"ORDERSTORE_PROVIDERS": "live"}, "ORDERSTORE_PROVIDERS"),
        ({"ORDERSTORE_STRIPE_API_KEY": "sk_test_1"}, "ORDERSTORE_STRIPE_API_KEY"),
        ({"ORDERSTORE_STRIPE_WEBHOOK_SECRET": "whsec_1"}, "ORDERSTORE_STRIPE_API_KEY"),
        (
            {
                "ORDERSTORE_PROVIDERS": "stripe",
                "ORDERSTORE_STRIPE_API_KEY": "sk_live_1",
                "ORDERSTORE_STRIPE_API_BASE": "http://127.0.0.1:1",
            },
            "ORDERSTORE_STRIPE_API_BASE",
        ),
    ],
)
def test_values_that_contradict_each_other_are_refused(changes: dict[str, str], variable: str) -> None:
    """Each of them is good by itself."""
    (problem,) = problems_of(**changes)

    assert problem.startswith(variable)


def test_the_bounds_themselves_are_good() -> None:
    """A visibility timeout of exactly six deadlines, and a drain that ends just before the kill."""
    settings = from_environment(
        {
            **REQUIRED,
            "ORDERSTORE_VISIBILITY_TIMEOUT_S": "90",
            "ORDERSTORE_DRAIN_BUDGET_S": "59",
            "ORDERSTORE_STOP_TIMEOUT_S": "60",
            "ORDERSTORE_API_PORT": "0",
        }
    )

    assert (settings.visibility_timeout_s, settings.drain_budget_s, settings.api_port) == (90, 59, 0)


def test_a_command_s_own_choice_wins_over_the_environment() -> None:
    """Overrides are checked like variables."""
    settings = from_environment(REQUIRED, overrides={"ORDERSTORE_RESOURCE_PREFIX": "other"})

    assert settings.resource_prefix == "other"
    with pytest.raises(SettingsError):
        from_environment(REQUIRED, overrides={"ORDERSTORE_API_PORT": "-1"})


def test_the_process_s_environment_is_read_when_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """One variable with our prefix is enough to say that somebody means this service."""
    monkeypatch.setattr(module.os, "environ", {"PATH": "/bin"})
    assert not is_configured()
    monkeypatch.setattr(module.os, "environ", {"PATH": "/bin", **REQUIRED})
    assert is_configured()
    assert from_environment().resource_prefix == "shop"


def test_every_queue_has_a_role_a_name_and_a_concurrency() -> None:
    """A queue that is added without its setting shows here, not in production."""
    settings = from_environment({**REQUIRED, "ORDERSTORE_BILLING_CONCURRENCY": "7"})

    assert set(CONSUMERS) < set(ROLES)
    assert all(settings.concurrency(queue) >= 1 for queue in CONSUMERS)
    assert settings.concurrency("billing") == 7
    assert (settings.queue("billing"), settings.table("events")) == ("shop-billing", "shop-events")


def test_the_secret_shows_in_no_representation() -> None:
    """A settings object may stand in a trace or in a log."""
    settings = from_environment(
        {**REQUIRED, "ORDERSTORE_AWS_ACCESS_KEY_ID": "key", "ORDERSTORE_AWS_SECRET_ACCESS_KEY": "hush-hush"}
    )

    assert isinstance(settings, Settings)
    assert settings.aws_secret_access_key == "hush-hush"
    assert "hush-hush" not in repr(settings)


def test_the_allowances_of_new_orders_are_those_that_were_set() -> None:
    """Each stage its own variable; those that nobody sets have the domain's defaults."""
    stages = ("OUTCOMES", "DISPATCH", "DELIVERY", "UNDO", "REFUND")
    chosen = {f"ORDERSTORE_ALLOWED_{stage}_S": str(number) for number, stage in enumerate(stages, start=1)}

    assert from_environment({**REQUIRED, **chosen}).allowances == Allowances(
        outcomes_s=1, dispatch_s=2, delivery_s=3, undo_s=4, refund_s=5
    )
    assert from_environment(REQUIRED).allowances == DEFAULTS


def test_a_secret_shows_nowhere() -> None:
    """Not in what is printed of the settings, and not in what is said about a wrong one."""  # D33
    settings = from_environment(
        {
            **REQUIRED,
            "ORDERSTORE_PROVIDERS": "stripe",
            "ORDERSTORE_STRIPE_API_KEY": "sk_test_planted",
            "ORDERSTORE_STRIPE_WEBHOOK_SECRET": "whsec_planted,whsec_next",
        }
    )
    assert "planted" not in repr(settings)

    (problem,) = problems_of(
        ORDERSTORE_PROVIDERS="stripe", ORDERSTORE_STRIPE_WEBHOOK_SECRET="whsec_planted, ,whsec_next"
    )
    assert problem.startswith("ORDERSTORE_STRIPE_WEBHOOK_SECRET")
    assert "planted" not in problem
