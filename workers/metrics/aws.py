"""Each call of AWS as a metric: who made it, of what, and how it ended. Requests are what most of AWS charges for.

Two hooks of botocore, a look at the request and a counter: see `docs/cost.md` for what that takes. The capacity that a table has used is
CloudWatch's to tell (ConsumedWriteCapacityUnits, free of charge); here it would have to be asked for with each call.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from workers.parts import running_part

if TYPE_CHECKING:
    from prometheus_client import Counter

    from workers.aws import Clients
    from workers.metrics.table import Metrics

_KEY: Final = "orderstore.resource"
_FAILED: Final = 300


class AwsMetrics:
    """Counts what the clients of a process do. `prefix`: what the names of its resources begin with; the label leaves it out."""

    def __init__(self, metrics: "Metrics", *, prefix: str) -> None:
        self._metrics = metrics
        self._prefix = f"{prefix}-"
        self._counters: dict[tuple[str, str, str, str, str], Counter] = {}

    def watch(self, clients: "Clients") -> None:
        """Begin to count."""
        for name in clients.__dataclass_fields__:
            meta = getattr(clients, name).meta
            service, events = meta.service_model.service_name, meta.events
            events.register("before-parameter-build", self._asked)
            events.register("after-call", self._answered(service))
            events.register("after-call-error", self._unanswered(service))

    def _asked(self, params: Mapping[str, Any], model: Any, context: dict[str, Any], **_: object) -> None:  # noqa: ANN401 - botocore's
        context[_KEY] = model.name, self._resource(params)

    def _answered(self, service: str) -> Callable[..., None]:
        def answered(http_response: Any, parsed: Mapping[str, Any], context: dict[str, Any], **_: object) -> None:  # noqa: ANN401 - botocore's
            failed = http_response.status_code >= _FAILED
            self._count(service, context, str(parsed.get("Error", {}).get("Code", "")) if failed else "ok")

        return answered

    def _unanswered(self, service: str) -> Callable[..., None]:
        def unanswered(exception: Exception, context: dict[str, Any], **_: object) -> None:
            self._count(service, context, type(exception).__name__)

        return unanswered

    def _count(self, service: str, context: dict[str, Any], outcome: str) -> None:
        operation, resource = context[_KEY]
        key = running_part.get(), service, operation, resource, outcome
        counter = self._counters.get(key)
        if counter is None:
            labels = dict(zip(("part", "service", "operation", "resource", "outcome"), key, strict=True))
            counter = self._counters[key] = self._metrics.counter("orderstore_aws_requests", labels)
        counter.inc()

    def _resource(self, params: Mapping[str, Any]) -> str:
        """The table, queue, topic or bucket; of several, all of them."""
        for name in ("TableName", "QueueUrl", "TopicArn", "Bucket", "QueueName"):
            if name in params:
                return str(params[name]).rpartition("/")[2].rpartition(":")[2].removeprefix(self._prefix)
        if "RequestItems" in params:
            names = set(params["RequestItems"])
        elif "TransactItems" in params:
            names = {action["TableName"] for entry in params["TransactItems"] for action in entry.values()}
        elif "Statements" in params:
            names = {statement["Statement"].split('"', 2)[1] for statement in params["Statements"]}
        else:
            return ""
        return "+".join(sorted(name.removeprefix(self._prefix) for name in names))
