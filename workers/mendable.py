"""The errors that a command says in words, with what to do; whatever else comes out of a command is a bug and shows its trace.

Nobody needs this module until a command fails: it knows every layer, which takes longer to import than most commands take to run.
"""

from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from orderstore.archive.dataset import DatasetError
from orderstore.archive.errors import ArchiveError
from orderstore.archive.rows import UnreadableBody
from orderstore.codec import CodecError
from orderstore.privacy.keys import PrivacyError
from orderstore.schemas.files import SchemaFilesError
from orderstore.scratch import ScratchUnusable
from orderstore.store.errors import StoreError
from orderstore.transact import Contended
from projections.http.auth import OpenService
from projections.http.services import ViewsUnavailable
from projections.stream.leases import LeaseError
from projections.stream.parking import ParkingError
from projections.stream.passing_over import StreamStuck
from projections.view_store import ViewStoreError
from workers.commands.environment import EnvironmentFailed
from workers.dead_letters.errors import DeadLetterError
from workers.demo.feed import FeedError
from workers.intake.reports import ReportError
from workers.payment.gateway import GatewayError
from workers.payment.hints import HintNotTaken
from workers.queues import QueueMismatch
from workers.reconciliation.payments import BooksTooLong
from workers.service import PortTaken
from workers.tables.errors import TableError
from workers.webhooks.errors import WebhookError

MENDABLE: Final = (
    ArchiveError,
    BooksTooLong,
    CodecError,
    Contended,
    DatasetError,
    DeadLetterError,
    EnvironmentFailed,
    FeedError,
    GatewayError,
    HintNotTaken,
    LeaseError,
    OpenService,
    ParkingError,
    PortTaken,
    PrivacyError,
    QueueMismatch,
    ReportError,
    ScratchUnusable,
    SchemaFilesError,
    StoreError,
    StreamStuck,
    TableError,
    UnreadableBody,
    ViewStoreError,
    ViewsUnavailable,
    WebhookError,
    BotoCoreError,
    ClientError,
)
