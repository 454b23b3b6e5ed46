"""The meter: hooks on the AWS clients of a process, which write down each call with what AWS will charge for it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from structlog.contextvars import get_contextvars

from tests.cost import capacity, rules
from tests.cost.looking import SecondLook
from workers.aws import Clients
from workers.parts import running_part

SERVICES: Final = ("dynamodb", "streams", "sqs", "sns", "s3", "kms", "sesv2", "events")
_PENDING: Final = "tests.cost"
_HOUSEKEEPING: Final = frozenset(
    {"GetQueueAttributes", "GetQueueUrl", "DescribeStream", "GetShardIterator", "ListStreams", "DescribeTable"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of one client."""

    role: str
    part: str
    """Of the process; a part that only watches causes standing calls."""
    cause: str | None
    """The type of the event whose message was being handled, or whose publication it was."""
    service: str
    operation: str
    resource: str
    outcome: str
    """`ok`, or the error's code."""
    entries: int
    """What it carried or brought: items, messages, records, statements."""
    bytes_out: int
    bytes_in: int
    requests: int
    """As the service charges them."""
    units: tuple[capacity.Units, ...] = ()
    standing: bool = False
    """Made whether there is an order or not: polls that bring nothing, leases, watches."""
    request: Mapping[str, Any] = field(repr=False, compare=False)

    @property
    def provider(self) -> bool:
        """Of the sandbox's payment provider and carrier, who are not ours: theirs is not our cost."""
        return self.resource == "sandbox"

    @property
    def write(self) -> float:
        """Write units, without indexes."""
        return sum(units.write for units in self.units)

    @property
    def index(self) -> float:
        """Write units of indexes."""
        return sum(units.index for units in self.units)

    @property
    def read(self) -> float:
        """Read units."""
        return sum(units.read for units in self.units)


@dataclass(slots=True)
class _Pending:
    role: str
    part: str
    cause: str | None
    model: Any
    request: Mapping[str, Any]
    targets: list[capacity.Target]
    before: list[rules.Item | None]
    bytes_out: int = 0


class Meter:
    """Writes down what the attached clients do. `look`: how it sees whole items; `prefix`: what resource names begin with."""

    def __init__(self, look: SecondLook, *, prefix: str) -> None:
        self.calls: list[Call] = []
        self._look = look
        self._prefix = prefix

    def attach(self, clients: Clients, role: str) -> None:
        """Watch every client of a process."""
        for name in SERVICES:
            events = getattr(clients, name).meta.events
            events.register_first("before-parameter-build", self._begin(role))
            events.register("before-call", self._sending)
            events.register("after-call", self._end)
            events.register("after-call-error", self._lost)

    def _begin(self, role: str) -> Callable[..., None]:
        def begin(params: Mapping[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
            found: list[capacity.Target] = []
            if model.service_model.service_name == "dynamodb":
                found = capacity.targets(model.name, params, self._look)
            before = [self._look.item(target.table, target.key) for target in found]
            cause = get_contextvars().get("eventType")
            context[_PENDING] = _Pending(role, running_part.get(), cause, model, params, found, before)

        return begin

    def _sending(self, params: Mapping[str, Any], context: dict[str, Any], **_: Any) -> None:
        context[_PENDING].bytes_out = _length(params.get("body"))

    def _end(self, http_response: Any, parsed: Mapping[str, Any], context: dict[str, Any], **_: Any) -> None:
        failed = http_response.status_code >= 300
        outcome = str(parsed.get("Error", {}).get("Code")) if failed else "ok"
        size = int(http_response.headers.get("content-length") or 0)
        self._note(context[_PENDING], parsed, outcome=outcome, bytes_in=size)

    def _lost(self, exception: Exception, context: dict[str, Any], **_: Any) -> None:
        """No answer came. What it changed is seen all the same."""
        self._note(context[_PENDING], {}, outcome=type(exception).__name__, bytes_in=0)

    def _note(self, pending: _Pending, parsed: Mapping[str, Any], *, outcome: str, bytes_in: int) -> None:
        service, operation = pending.model.service_model.service_name, pending.model.name
        request = pending.request
        units: list[capacity.Units] = []
        if service == "dynamodb":
            after = [self._look.item(target.table, target.key) for target in pending.targets]
            units = capacity.written_by(pending.targets, pending.before, after, self._look)
            if not units and outcome == "ok":
                units = capacity.read_by(operation, request, parsed, self._look)
        entries = sum(unit.items for unit in units) if units else _entries(operation, request, parsed)
        resource = self._resource(service, operation, request)
        idle = operation in ("ReceiveMessage", "GetRecords") and entries == 0
        part = pending.part
        watches = part.rpartition(" ")[2] in ("watch", "root", "reconciliation")
        self.calls.append(
            Call(
                role=pending.role,
                part=part,
                cause=pending.cause or _cause(request),
                service=service,
                operation=operation,
                resource=resource,
                outcome=outcome,
                entries=entries,
                bytes_out=pending.bytes_out,
                bytes_in=bytes_in,
                requests=_requests(service, pending.bytes_out, bytes_in),
                units=tuple(units),
                standing=idle or watches or operation in _HOUSEKEEPING or resource == "leases",
                request=request,
            )
        )

    def _resource(self, service: str, operation: str, request: Mapping[str, Any]) -> str:
        names: list[str] = []
        match service:
            case "dynamodb":
                names = sorted({target.table for target in capacity.targets(operation, request, self._look)})
                if not names:
                    names = [request["TableName"]] if "TableName" in request else sorted(request["RequestItems"])
            case "sqs":
                names = [str(request.get("QueueUrl", request.get("QueueName", ""))).rsplit("/", 1)[-1]]
            case "sns":
                names = [str(request.get("TopicArn", "")).rsplit(":", 1)[-1]]
            case "s3":
                names = [request["Bucket"]]
        return "+".join(name.removeprefix(f"{self._prefix}-") for name in names)


def _requests(service: str, bytes_out: int, bytes_in: int) -> int:
    return rules.billed_requests(max(bytes_out, bytes_in)) if service in ("sqs", "sns") else 1


def _entries(operation: str, request: Mapping[str, Any], answer: Mapping[str, Any]) -> int:
    match operation:
        case "ReceiveMessage":
            return len(answer.get("Messages", ()))
        case "GetRecords":
            return len(answer.get("Records", ()))
        case "PublishBatch":
            return len(request["PublishBatchRequestEntries"])
        case "DeleteMessageBatch" | "ChangeMessageVisibilityBatch" | "SendMessageBatch":
            return len(request["Entries"])
    return 1


def _cause(request: Mapping[str, Any]) -> str | None:
    entries = request.get("PublishBatchRequestEntries", ())
    types = {entry["MessageAttributes"]["eventType"]["StringValue"] for entry in entries}
    return "+".join(sorted(types)) or None


def _length(body: Any) -> int:
    if body is None:
        return 0
    if isinstance(body, str):
        return len(body.encode())
    return len(body) if hasattr(body, "__len__") else body.getbuffer().nbytes
