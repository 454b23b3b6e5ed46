"""The API on top of the `Core`: what it answers from, who may ask, and the server."""

from collections.abc import Callable, Mapping, Sequence
from typing import cast

import msgspec
import structlog

from orderstore.invoicing.reading import DocumentReader
from orderstore.invoicing.shelf import Shelf
from projections.answers.business_report import BusinessQueries
from projections.answers.exceptions import ExceptionQueries
from projections.answers.fresh_reads import FreshReads
from projections.answers.orders import current_generations, open_queries
from projections.answers.publication import RecentPublication
from projections.answers.sales import SalesQueries
from projections.http.app import build_app
from projections.http.auth import BearerTokens, Scope, Token
from projections.http.services import Services
from projections.stream.low_water import RecentMark
from workers.core import Core, now_ms
from workers.dead_letters.opening import desk_of as dead_letters_desk_of
from workers.live import live_desk
from workers.metrics.business import HttpMetrics
from workers.metrics.streams import StreamMetrics
from workers.payments import payment_hooks
from workers.service import Cancellable, HttpServer, Part, listen
from workers.settings import Settings, SettingsError
from workers.subscriptions import RELAY_SUBSCRIPTION
from workers.sweepers import order_sweep
from workers.webhooks.opening import desk_of as webhooks_desk_of


class _Given(msgspec.Struct):
    """A token as it is configured."""

    name: str
    sha256: str
    scopes: frozenset[str]


def authentication(settings: Settings) -> BearerTokens:
    """The API's tokens. Raises SettingsError, or OpenService rather than run open to everybody."""
    try:
        given = msgspec.json.decode(settings.api_tokens or "[]", type=list[_Given])
        tokens = [Token(entry.name, entry.sha256, cast("frozenset[Scope]", entry.scopes)) for entry in given]
    except (ValueError, RecursionError) as error:  # msgspec's own are ValueErrors
        raise SettingsError(["ORDERSTORE_API_TOKENS: not a JSON list of {name, sha256, scopes}"]) from error
    return BearerTokens(tokens)


async def api(core: Core, readiness: Callable[[], Mapping[str, bool]]) -> tuple[HttpServer, Sequence[Part]]:
    """The HTTP API, and what works for it in its process. Raises SettingsError, OpenService, PortTaken."""
    live = live_desk(core)
    relay, tenant, observer = RELAY_SUBSCRIPTION, core.settings.tenant, HttpMetrics(core.metrics)
    mark = RecentMark(core.leases, relay, kept_s=0, observer=StreamMetrics(core.metrics, relay))
    lot = core.parked
    generations = current_generations(core.views, observer=observer)
    queries = await open_queries(core.views, tenant=tenant, generations=generations)
    sales = SalesQueries(core.views, tenant=tenant, generations=generations)
    services = Services(
        orders=core.orders,
        views=queries,
        fresh=FreshReads(
            queries, core.orders, random=core.random, read_wait_s=core.settings.read_wait_s, observer=observer
        ),
        exceptions=ExceptionQueries(
            core.views, lot, tenant=tenant, generations=generations, queries=queries, now_ms=now_ms
        ),
        sales=sales,
        business=BusinessQueries(core.views, sales, tenant=tenant, generations=generations, now_ms=now_ms),
        authentication=authentication(core.settings),
        readiness=readiness,
        metrics=core.metrics.render,
        publication=RecentPublication(mark.get, lot, subscription=relay, tenant=tenant, observer=observer).get,
        tenant=tenant,
        dead_letters=dead_letters_desk_of(core),
        payment_hooks=payment_hooks(core),
        live=live,
        documents=DocumentReader(core.orders, Shelf(core.objects, core.sealer, tenant=tenant)),
        webhooks=webhooks_desk_of(core),
        wake=order_sweep(core).wake,
        logger=structlog.get_logger("projections.http"),
        observer=observer,
    )
    listener = listen(core.settings.api_host, core.settings.api_port)
    server = HttpServer(core.tracing.app(build_app(services)), name="api", listener=listener)
    return server, (Cancellable("live watch", live.run),)
