"""A bridge: what AWS does for a queue by itself and the emulator does not.

AWS publishes the metrics of every queue (namespace AWS/SQS) and CloudWatch judges the alarms on them. MiniStack
publishes none of these metrics, and when it judges an alarm it mixes the points of all dimensions, so that one busy
queue would raise the alarms of all others. So this bridge reads the queues' depth inside the emulator, records the
metrics, judges the alarms on them with regard to their dimensions, and sets their state through the emulator's own
SetAlarmState, which runs the alarms' actions.

Product code knows nothing of this: on AWS the same template works without it.
Metrics: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
"""

import importlib
import operator
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

NAMESPACE = "AWS/SQS"
POINTS_KEPT = 1800
"""An hour at one point in two seconds. The emulator itself never drops a point."""

_STATISTICS: dict[str, Callable[[Sequence[float]], float]] = {
    "Average": statistics.fmean,
    "Maximum": max,
    "Minimum": min,
    "Sum": sum,
}
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


def emulator_module(name: str) -> Any:  # noqa: ANN401 - the emulator is untyped and absent where types are checked
    """One of MiniStack's modules, which exist only in its own virtual environment."""
    return importlib.import_module(f"ministack.{name}")


class QueueAlarms:
    """The emulator's modules and what this bridge does with them. Lives on the emulator's event loop, so it needs no lock."""

    def __init__(self) -> None:
        """Take AWS/SQS alarms out of the emulator's own, dimension-blind judgement."""
        self._sqs: Any = emulator_module("services.sqs")
        self._cloudwatch: Any = emulator_module("services.cloudwatch")
        self._scope: Any = emulator_module("core.responses").request_scope
        judge_blindly = self._cloudwatch._evaluate_alarm  # noqa: SLF001 - the emulator offers no other way in

        def judge(alarm: dict[str, Any]) -> None:
            if alarm.get("Namespace") != NAMESPACE:
                judge_blindly(alarm)

        self._cloudwatch._evaluate_alarm = judge  # noqa: SLF001 - see above

    def tick(self) -> None:
        """Record every queue's figures and judge every alarm on them, in every account and region."""
        now = time.time()
        for (account, region, _url), queue in self._sqs._queues.all_items():  # noqa: SLF001 - read-only look at the queues
            with self._scope(account, region):
                self._record(queue, now)
        for (account, region, _name), alarm in self._cloudwatch._alarms.all_items():  # noqa: SLF001 - the same
            if alarm.get("Namespace") == NAMESPACE:
                with self._scope(account, region):
                    self._judge(alarm, now)

    def _record(self, queue: dict[str, Any], now: float) -> None:
        self._sqs._refresh_counts(queue)  # noqa: SLF001 - what GetQueueAttributes does before it answers
        attributes = queue["attributes"]
        oldest = min((message["sent_at"] for message in queue["messages"]), default=now)
        figures = {
            "ApproximateNumberOfMessagesVisible": float(attributes["ApproximateNumberOfMessages"]),
            "ApproximateNumberOfMessagesNotVisible": float(attributes["ApproximateNumberOfMessagesNotVisible"]),
            "ApproximateAgeOfOldestMessage": max(0.0, now - oldest),
        }
        dimensions = {"QueueName": attributes["QueueArn"].rsplit(":", 1)[-1]}
        for metric, value in figures.items():
            self._cloudwatch.record_metric(NAMESPACE, metric, value, dimensions=dimensions)
            points = self._points(metric, dimensions)
            if len(points) > POINTS_KEPT:
                del points[:-POINTS_KEPT]

    def _points(self, metric: str, dimensions: dict[str, str]) -> list[dict[str, Any]]:
        key = (NAMESPACE, metric, self._cloudwatch._dims_key(dimensions))  # noqa: SLF001 - the key of its metric store
        points: list[dict[str, Any]] = self._cloudwatch._metric_bucket(key)  # noqa: SLF001 - the same
        return points

    def _judge(self, alarm: dict[str, Any], now: float) -> None:
        """ALARM when enough of the last periods breach; a period without points counts as not breaching."""
        dimensions = {entry["Name"]: entry["Value"] for entry in alarm["Dimensions"]}
        points = self._points(alarm["MetricName"], dimensions)
        period_s, periods = int(alarm["Period"]), int(alarm["EvaluationPeriods"])
        statistic, breaches = _STATISTICS[alarm["Statistic"]], _COMPARISONS[alarm["ComparisonOperator"]]
        values: list[list[float]] = [[] for _ in range(periods)]
        for point in reversed(points):
            age_in_periods = int((now - point["Timestamp"]) // period_s)
            if age_in_periods >= periods:
                break
            values[max(0, age_in_periods)].append(point["Value"])
        threshold = float(alarm["Threshold"])
        breaching = sum(1 for period in values if period and breaches(statistic(period), threshold))
        state = "ALARM" if breaching >= int(alarm.get("DatapointsToAlarm") or periods) else "OK"
        if state != alarm["StateValue"]:
            reason = f"{breaching} of the last {periods} periods of {period_s} s breach the threshold {threshold:g}"
            change = {"AlarmName": alarm["AlarmName"], "StateValue": state, "StateReason": reason}
            self._cloudwatch._set_alarm_state({}, change, is_cbor=False, is_json=True)  # noqa: SLF001 - SetAlarmState
