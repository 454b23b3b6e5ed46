"""`orderstore …`: every command, put together. What a command does is in `workers/commands`."""

import sys
from collections.abc import Iterator
from functools import cache
from typing import Final

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

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
from workers.commands import (
    archive,
    audit,
    bulk,
    business,
    configuration,
    dlq,
    exceptions,
    intake,
    invoices,
    notifications,
    orders,
    parked,
    payments,
    plan,
    privacy,
    returns,
    schemas,
    serve,
    stock,
    views,
    webhooks,
)
from workers.commands.environment import EnvironmentFailed
from workers.dead_letters.errors import DeadLetterError
from workers.demo.feed import FeedError
from workers.intake.reports import ReportError
from workers.payment.gateway import GatewayError
from workers.queues import QueueMismatch
from workers.reconciliation.payments import BooksTooLong
from workers.service import PortTaken
from workers.settings import SettingsError
from workers.tables.errors import TableError
from workers.webhooks.errors import WebhookError

EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2


@cache
def build() -> typer.Typer:
    """The application, with every group of commands."""
    app = typer.Typer(
        name="orderstore",
        help="An event-sourced order service: the log is the only record.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    serve.add_to(app)
    configuration.add_to(app)
    bulk.add_to(app)
    orders.add_to(app)
    returns.add_to(app)
    plan.add_to(app)
    audit.add_to(app)
    archive.add_to(app)
    views.add_to(app)
    business.add_to(app)
    exceptions.add_to(app)
    parked.add_to(app)
    stock.add_to(app)
    payments.add_to(app)
    invoices.add_to(app)
    dlq.add_to(app)
    intake.add_to(app)
    notifications.add_to(app)
    privacy.add_to(app)
    schemas.add_to(app)
    webhooks.add_to(app)
    return app


# Said in words, with what to do; whatever else comes out of a command is a bug and shows its trace.
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


def main() -> None:
    """Run a command."""
    errors = Console(emoji=False, stderr=True, soft_wrap=True, highlight=False, markup=False)
    try:
        build()()
    except SettingsError as error:
        errors.print("The settings do not describe a service that can run; nothing was started:")
        for problem in error.problems:
            errors.print(f"  {problem}")
        sys.exit(EXIT_USAGE)
    except MENDABLE as error:
        errors.print(f"{error}")
        sys.exit(EXIT_FAILED)
    except ExceptionGroup as group:
        known, unknown = group.split(MENDABLE)
        if known is None or unknown is not None:
            raise
        for leaf in _leaves(known):
            errors.print(f"{leaf}")
        sys.exit(EXIT_FAILED)


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for inner in group.exceptions:
        if isinstance(inner, BaseExceptionGroup):
            yield from _leaves(inner)
        else:
            yield inner


if __name__ == "__main__":
    main()
