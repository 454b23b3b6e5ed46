"""What `search.py` finds and is no decoder of anything from outside, or one whose input somebody else has looked at; with the reason."""

from collections.abc import Mapping
from typing import Final

MADE_HERE: Final = "it decodes what this very process has just encoded"
CHECKED: Final = "what it reads has been decoded and checked by its caller"
SCRATCH: Final = "it reads a scratch file of this very process"
KEYS: Final = "the key of a table or of a stream's record: DynamoDB's own, of the types of the table's schema"
SEALED: Final = "what it reads was opened with the subject's own key, which nobody else can have sealed"
CONSTANT: Final = "it decodes a constant, or a file of the code itself"
REPOSITORY: Final = "a file of this repository, whose release test holds it to what was written"
OPERATOR: Final = "what an operator typed; told in words where it cannot be read"
AWS: Final = "AWS's own answer, which botocore has read by the service's model"
HTTP: Final = "the API's input: tests/bad_input/http and tests/projections/http"
IN_MEMORY: Final = "the table in memory, which tests stand on"
STOCK_ROWS: Final = (
    "the rows of `stock level`, `reservation` and `part of a reservation`; what cannot be read is a finding"
)
DEMO: Final = "the demonstration, which reads what it has made itself"

EXCUSED: Final[Mapping[str, str]] = {
    "orderstore.archive.dataset:PartWriter.add": CHECKED,
    "orderstore.archive.restore:_note_positions": CHECKED,
    "orderstore.archive.segment:line_of": "it tells text from other bytes when a commit is written down",
    "orderstore.archive.writer:Archiver._apply": CHECKED,
    "orderstore.audit.bundle:_commit": CHECKED,
    "orderstore.audit.bundle:make_bundle": CHECKED,
    "orderstore.audit.heads:HeadsFile.anchored_but_unseen": SCRATCH,
    "orderstore.audit.heads:HeadsFile.heads": SCRATCH,
    "orderstore.audit.roots:signed_root": MADE_HERE,
    "orderstore.audit.standalone.verify_bundle:(module)": CONSTANT,
    "orderstore.audit.trail:trail_of": "the codec, which `commit body` breaks",
    "orderstore.exchanges:replacement": SEALED,
    "orderstore.history:Standing.then": "the codec, which `commit body` breaks",
    "orderstore.privacy.buyers:open_buyer": SEALED,
    "orderstore.privacy.buyers:seal_buyer": SEALED,
    "orderstore.privacy.buyers:seal_buyer_again": SEALED,
    "orderstore.privacy.dynamo_keys:DynamoKeyRing.erase": "the answer to its own write",
    "orderstore.privacy.dynamo_keys:DynamoKeyRing.subjects": KEYS,
    "orderstore.schemas.files:_read": REPOSITORY,
    "orderstore.schemas.manifests:_listed": REPOSITORY,
    "orderstore.store.dynamo_reader:DynamoReader.streams": KEYS,
    "orderstore.store.scanning:position_of": KEYS,
    "projections.answers.due_orders:_listed": CHECKED,
    "projections.answers.overdue:_age_s": CHECKED,
    "projections.answers.publication:first_commit": CHECKED,
    "projections.answers.sales:together": CHECKED,
    "projections.commits:_in_the_table": KEYS,
    "projections.commits:order_of_record": KEYS,
    "projections.http.auth:BearerTokens.__init__": CHECKED,
    "projections.http.live:follow_customer": "`place in a live stream` breaks it",
    "projections.http.report_places:_day": HTTP,
    "projections.live.tail:LogTail.after": "the codec, which `commit body` breaks",
    "projections.parked_orders.dynamo_log_items:DynamoLogItems.head": KEYS,
    "projections.parked_orders.unparking:number_of": CHECKED,
    "projections.projecting.projector:ViewProjector.resume": CHECKED,
    "projections.publishing.relay:Relay.resume": CHECKED,
    "projections.publishing.sns:SnsPublisher._entry": MADE_HERE,
    "projections.publishing.unpublished:Unpublished._owed_since_ms": CHECKED,
    "projections.stream.parking.dynamo:DynamoParkingLot.page": KEYS,
    "projections.view_store.dynamo:DynamoViewStore.generations": KEYS,
    "projections.view_store.dynamo_calls:Calls.names": KEYS,
    "projections.view_store.items:_document_value": MADE_HERE,
    "projections.views.deadlines:_moment": CHECKED,
    "projections.views.deadlines:_several_of": CHECKED,
    "projections.views.progress:_day": CHECKED,
    "projections.views.progress:sums": CHECKED,
    "workers.aws_parsing:QuickJSONParser._handle_json_body": AWS,
    "workers.commands.audit.bundle:bundle": MADE_HERE,
    "workers.commands.configuration:settings": CONSTANT,
    "workers.commands.dlq.look:ls": CHECKED,
    "workers.commands.dlq.mend:_tell": CHECKED,
    "workers.commands.exceptions.looking:_with_commands": CHECKED,
    "workers.commands.environment:_call": "the answer of our own program",
    "workers.commands.exceptions.acting:_act": OPERATOR,
    "workers.commands.exceptions.looking:ls": CHECKED,
    "workers.commands.notifications.suppressing:_address": SEALED,
    "workers.commands.payments:_day": OPERATOR,
    "workers.commands.privacy.erase:_orders_of": CHECKED,
    "workers.commands.webhooks.options:following": MADE_HERE,
    "workers.commands.webhooks.options:moment_ms": OPERATOR,
    "workers.dead_letters.mending:Mender._from_log": MADE_HERE,
    "workers.demo.feed:Feeder._post": DEMO,
    "workers.demo.run:Demo._statuses": DEMO,
    "workers.hinting:message_for": MADE_HERE,
    "workers.inbox.dynamo:DynamoInboxTable.newest": KEYS,
    "workers.inbox.memory:MemoryInboxTable._notes": IN_MEMORY,
    "workers.inbox.memory:MemoryInboxTable.newest": IN_MEMORY,
    "workers.inbox.memory:MemoryInboxTable.remove": IN_MEMORY,
    "workers.inbox.memory:MemoryInboxTable.unread": IN_MEMORY,
    "workers.inbox.memory:_id": IN_MEMORY,
    "workers.intake.eventbridge:BusEvents.put": MADE_HERE,
    "workers.intake.online_retail.rows:local_to_utc": CHECKED,
    "workers.notification.records:TableNotifications.of_event": KEYS,
    "workers.notification.telling:Telling._contact": SEALED,
    "workers.payment.hints:hint_body": MADE_HERE,
    "workers.planning.counted:counted": CONSTANT,
    "workers.planning.prices:prices": CONSTANT,
    "workers.queues:mismatches": AWS,
    "workers.reconciliation.stock:StockReconciliation._look_again": STOCK_ROWS,
    "workers.reconciliation.stock:_level_in": STOCK_ROWS,
    "workers.reconciliation.stock:_part_in": STOCK_ROWS,
    "workers.reconciliation.stock:_weighed": STOCK_ROWS,
    "workers.reconciliation.stock_daily:close_books": STOCK_ROWS,
    "workers.subscriptions:stream_parts": AWS,
    "workers.webhooks.deliveries:Deliveries.create": MADE_HERE,
    "workers.webhooks.payload:payload_of_public": MADE_HERE,
    "workers.webhooks.secrets:Secrets.signing": SEALED,
    "workers.webhooks.signing:headers": MADE_HERE,
}
