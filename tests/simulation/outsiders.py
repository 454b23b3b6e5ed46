"""Who stands outside and is told something: the mail service, the bus that the intake reports to, a customer's endpoint for webhooks."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import anyio
import orjson
from standardwebhooks import Webhook

from orderstore.recorded import Actor
from tests.projections.stream.fake_stream import wall_ms
from workers.intake.reports import ACCEPTED, Report
from workers.notification.mail import Mail
from workers.webhooks.endpoint import Change, Endpoint
from workers.webhooks.endpoints import Endpoints
from workers.webhooks.errors import SendFailed
from workers.webhooks.secrets import Secrets
from workers.webhooks.sending import Answer

if TYPE_CHECKING:
    from tests.simulation.outside import Outside

MAILED_AGAIN_AFTER_S: Final = (
    40.0  # a claim is taken over after 60 s; both clocks may be off, and a handler takes its time
)
WRONG: Final = (500, 503, 400, 302)
TOLERANCE_S: Final = 300.0
"""So old a signature may be: what the libraries of Standard Webhooks take."""
SUBSCRIBER: Final = "whe_simulated"


class Mailbox:
    """The mail service, which keeps what it was given and watches that nobody sends who has no claim."""

    def __init__(self, outside: "Outside") -> None:
        self._outside = outside
        self._sent_at_s: dict[str, float] = {}
        self.sent: list[Mail] = []
        self.problems: list[str] = []

    async def send(self, mail: Mail) -> str:
        """See `workers.notification.mail.MailSender`."""
        await anyio.lowlevel.checkpoint()
        name, now_s = mail.notification_id, anyio.current_time()
        rows = [row async for row in self._outside.tables["notifications"].scan() if row["notification"] == name]
        if [row["state"] for row in rows] != ["sending"]:
            self.problems.append(f"{name} is mailed, and its record is {rows}")
        if name in self._sent_at_s and now_s - self._sent_at_s[name] < MAILED_AGAIN_AFTER_S:
            self.problems.append(f"{name} is mailed again after {now_s - self._sent_at_s[name]:.1f} s")
        self._sent_at_s[name] = now_s
        self.sent.append(mail)
        self._outside.run.note("mail", name[:8])
        return f"mail-{len(self.sent)}"


class Bus:
    """Where the intake reports what became of each request."""

    def __init__(self, outside: "Outside") -> None:
        self._outside = outside
        self.accepted: dict[str, set[str]] = {}
        """Order ids by request."""
        self.ids: dict[str, set[str]] = {}
        """Ids of the reports of a request."""
        self.refused: list[Report] = []

    async def send(self, reports: Sequence[Report]) -> None:
        """See `workers.intake.reports.Reports`."""
        await anyio.lowlevel.checkpoint()
        for report in reports:
            detail = report.detail
            self.ids.setdefault(detail["requestId"], set()).add(detail["reportId"])
            self._outside.run.note("bus", f"{report.detail_type} {detail['requestId']}")
            if report.detail_type == ACCEPTED:
                self.accepted.setdefault(detail["requestId"], set()).add(detail["orderId"])
            else:
                self.refused.append(report)


class Subscriber:
    """A customer's endpoint: it takes an event in once, checks who sent it, and answers well, wrong, late or never."""

    def __init__(self, outside: "Outside") -> None:
        self._outside = outside
        self._secret = ""
        self.taken: Counter[str] = Counter()
        """How often each event came."""
        self.answered: set[str] = set()
        """Events of which it has said that they are in."""
        self.problems: list[str] = []

    async def subscribe(self, endpoints: Endpoints, secrets: Secrets, tenant: str) -> None:
        """Have everything sent here."""
        sealed, self._secret = await secrets.make(SUBSCRIBER)
        made = Change(at_ms=wall_ms(), actor=Actor("operator", "ada"), what="added", reason="a simulation")
        endpoint = Endpoint(
            id=SUBSCRIBER,
            tenant=tenant,
            url="https://shop.example/hook",
            event_types=(),
            description="",
            state="enabled",
            cause="",
            since_ms=made.at_ms,
            failing_since_ms=0,
            secrets=(sealed,),
            created_at_ms=made.at_ms,
            changes=(made,),
            revision=1,
        )
        await endpoints.add(endpoint)

    async def post(self, url: str, *, headers: Mapping[str, str], body: bytes) -> Answer:
        """See `workers.webhooks.sending.Sender`."""
        del url
        random, faults = self._outside.random, self._outside.run.faults
        drawn, first = random.random(), random.random() < 0.5
        await anyio.sleep(0.02)
        if drawn < faults.endpoint_wrong and first:
            return self._says(random.choice(WRONG))
        if faults.endpoint_wrong <= drawn < faults.endpoint_wrong + faults.endpoint_silent and first:
            raise SendFailed("timeout", "nobody is there")
        self._take(headers, body)
        if drawn < faults.endpoint_wrong:
            return self._says(random.choice(WRONG))
        drawn -= faults.endpoint_wrong
        if drawn < faults.endpoint_silent:
            raise SendFailed("protocol", "it hung up")
        if drawn - faults.endpoint_silent < faults.endpoint_late:
            await anyio.sleep(random.uniform(0, faults.endpoint_late_s))
        self.answered.add(headers["webhook-id"])
        return self._says(200)

    def _says(self, status: int) -> Answer:
        return Answer(status=status, retry_after=None, body=b"")

    def _take(self, headers: Mapping[str, str], body: bytes) -> None:
        webhook_id = headers["webhook-id"]
        moment = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
        if headers["webhook-signature"] != Webhook(self._secret).sign(webhook_id, moment, body.decode()):
            self.problems.append(f"{webhook_id} is not signed by whom it should be")
        if abs(moment.timestamp() - wall_ms() / 1_000) > TOLERANCE_S:
            self.problems.append(f"{webhook_id} is signed for {moment}")
        self.taken[webhook_id] += 1
        self._outside.run.note("webhook", f"{webhook_id[:8]} {orjson.loads(body)['type']}")
