"""The names of what a span tells. Those of OpenTelemetry's conventions are theirs; ours begin with `orderstore.`.

Sources: https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/ (also `/messaging/sqs/`, `/messaging/sns/`),
`/http/http-spans/` and `/database/database-spans/`. The conventions for messaging are marked "development": these are those of 2026.

Left out on purpose, because they may be personal: paths and queries of requests (`url.path`, `url.query`; the route is told), client
addresses, user agents, and the texts of exceptions.
"""

from typing import Final

ERROR_TYPE: Final = "error.type"

MESSAGING_SYSTEM: Final = "messaging.system"
OPERATION_NAME: Final = "messaging.operation.name"
OPERATION_TYPE: Final = "messaging.operation.type"
DESTINATION: Final = "messaging.destination.name"
MESSAGE_ID: Final = "messaging.message.id"
CONVERSATION_ID: Final = "messaging.message.conversation_id"
BATCH_COUNT: Final = "messaging.batch.message_count"
SQS: Final = "aws_sqs"
SNS: Final = "aws.sns"

HTTP_METHOD: Final = "http.request.method"
HTTP_ROUTE: Final = "http.route"
HTTP_STATUS: Final = "http.response.status_code"
URL_SCHEME: Final = "url.scheme"
PROTOCOL_VERSION: Final = "network.protocol.version"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"

DB_SYSTEM: Final = "db.system.name"
DB_OPERATION: Final = "db.operation.name"
DB_COLLECTION: Final = "db.collection.name"
DYNAMODB: Final = "aws.dynamodb"

ORDER_ID: Final = "orderstore.order.id"
EVENT_ID: Final = "orderstore.event.id"
EVENT_TYPE: Final = "orderstore.event.type"
COMMIT: Final = "orderstore.commit"
CONFLICT: Final = "orderstore.commit.conflict"
VIEW: Final = "orderstore.view"
OUTCOME: Final = "orderstore.message.outcome"
RECEIVE_COUNT: Final = "orderstore.message.receive_count"
FAILED_ENTRIES: Final = "orderstore.batch.failed"
