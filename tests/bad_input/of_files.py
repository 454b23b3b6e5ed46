"""Files that others bring: sales, stock, orders, packed and plain; and anything at all for the scanner."""

import contextlib
import gzip
import io
import json
import tempfile
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, Final

import typer
import zstandard

from orderstore.privacy.scanner import Scanner, kinds_in
from tests.bad_input.decoder import Decoder, Shape, samples
from tests.bad_input.documents import plain, written
from tests.bad_input.mutations import of_bytes, of_json, of_tree
from tests.virtual_time import run_virtual
from tests.workers.intake.csv_files import csv_bytes, row
from tests.workers.intake.intake_world import IntakeWorld, line
from workers.commands import passing_on, stock
from workers.commands.dlq.mend import _text_of
from workers.intake.bulk.files import FileUnreadable
from workers.intake.bulk.packing import Unpacking
from workers.intake.online_retail.model import IntakeError
from workers.intake.online_retail.rows import parse_line
from workers.intake.online_retail.staging import open_staged
from workers.privacy_places import _Unpacked

NOW_MS: Final = 1_772_366_400_000


UNPACKED_MAX: Final = 1024 * 1024


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="bad-input-")


def _file(content: bytes) -> Path:
    path = Path(_folder().name) / "given"
    path.write_bytes(content)
    return path


@samples
def retail_files() -> list[bytes]:
    rows = [row("536365"), row("536365", "71053", "-2", "3.39"), row("C536379", quantity=-1), row("A563185", "B", 1)]
    return [csv_bytes(*rows), gzip.compress(csv_bytes(*rows), mtime=0)]


def _staged(content: bytes) -> int:
    staged = open_staged(_file(content))
    staged.close()
    return 1


@samples
def stock_files() -> list[bytes]:
    return [b"sku,quantity\nTEA,5\nMILK,7\n", b'\xef\xbb\xbf"sku","note","quantity"\nTEA,,5\n']


def _stock(content: bytes) -> dict[str, int]:
    with contextlib.redirect_stderr(io.StringIO()):
        return stock._read(_file(content))


@samples
def settings_files() -> list[bytes]:
    return [b'{"ORDERSTORE_STOCK_LOCATIONS": "north,south", "PATH": "/bin"}', b"{}"]


def _settings_of(content: bytes) -> dict[str, str] | None:
    (Path(_folder().name) / passing_on.SETTINGS_FILE).write_bytes(content)
    return passing_on.written_down(Path(_folder().name))


class _Blocks:
    """`Reading` of bytes."""

    def __init__(self, content: bytes) -> None:
        self._source = io.BytesIO(content)

    async def read(self, length: int) -> bytes:
        return self._source.read(length)


def _unpacked(packing: Any) -> Any:
    def decode(content: bytes) -> bytes:
        async def read() -> bytes:
            reading, found = Unpacking(_Blocks(content), packing, bytes_max=UNPACKED_MAX), b""
            while block := await reading.read(64 * 1024):
                found += block
                if len(found) > UNPACKED_MAX:
                    raise AssertionError(f"{len(found)} bytes came out")
            return found

        return run_virtual(read)

    return decode


LINES: Final = b"".join(line(number) + b"\n" for number in range(4))


def _uploaded(given: tuple[str, bytes]) -> list[str]:
    """A file of orders comes to an end, whatever is in it, and no line is placed twice, or lost without a word."""

    async def work() -> list[str]:
        world = IntakeWorld()
        name, content = given
        await world.upload(content, name=name)
        await world.drain()
        [record] = [one async for one in world.table.scan() if one["part"] == "file"]
        if record["state"] == "running":
            raise AssertionError("the file never ended")
        placed = await world.orders_placed()
        if record["state"] == "finished":
            [root] = [one async for one in world.table.scan() if one.get("parent") == ""]
            if root["accepted"] + root["rejected"] + root["blank"] != root["lines"] or placed > root["accepted"]:
                raise AssertionError(f"{placed} orders of {root}")
        return [str(record["state"]), str(placed)]

    return run_virtual(work)


def _of_uploads(random: Random, given: Any) -> Any:
    name = random.choice(("a.ndjson", "a.ndjson", "b.ndjson.gz", "c.jsonl.zst", "d.txt", "../e.ndjson"))
    content = b"\n".join(of_json(random, [json.loads(line(number))]) for number in range(3))
    if random.random() < 0.3:
        content = of_bytes(random, [content])
    if name.endswith(".gz"):
        content = gzip.compress(content, mtime=0)
    if name.endswith(".zst"):
        content = zstandard.compress(content)
    return name, of_bytes(random, [content]) if random.random() < 0.3 else content


def _scanned(value: Any) -> bool:
    scanner = Scanner(canaries=["ada.lovelace@example.com"])
    for _ in scanner.look("place", value):
        pass
    if isinstance(value, str):
        kinds_in(value)
    return True


def _chunks(content: bytes) -> bool:
    unpacked, size = _Unpacked(), 0
    for start in range(0, len(content), 1_000):
        for chunk in unpacked(content[start : start + 1_000]):
            size += len(chunk)
    return True


EVENT_TEXT: Final = json.dumps({"email": "ada@example.com", "number": "4242 4242 4242 4242", "deep": [[{"a": "b"}]]})


DECODERS: Final = (
    Decoder(
        name="Online Retail file",
        covers=(
            "workers.intake.online_retail.rows:RowReader._check_header",
            "workers.intake.online_retail.rows:RowReader.__init__",
        ),
        decode=_staged,
        errors=(IntakeError,),
        valid=lambda: [(content, 1) for content in retail_files()],
        shapes=(Shape(mutate=of_bytes, samples=retail_files),),
        weight=10,
    ),
    Decoder(
        name="Online Retail line",
        covers=(
            "workers.intake.online_retail.rows:parse_line",
            "workers.intake.online_retail.rows:_is_time",
            "workers.intake.online_retail.rows:_invoice_of",
        ),
        decode=lambda content: parse_line(2, content),
        valid=lambda: [(one, parse_line(2, one)) for one in retail_files()[0].splitlines()[1:]],
        shapes=(Shape(mutate=of_bytes, samples=lambda: retail_files()[0].splitlines()[1:]),),
    ),
    Decoder(
        name="stock file",
        covers=("workers.commands.stock:_read", "workers.commands.stock:_rows_of"),
        decode=_stock,
        errors=(typer.Exit,),
        valid=lambda: [(stock_files()[0], {"TEA": 5, "MILK": 7}), (stock_files()[1], {"TEA": 5})],
        shapes=(Shape(mutate=of_bytes, samples=stock_files),),
    ),
    Decoder(
        name="gzip file of orders",
        covers=(
            "workers.intake.bulk.packing:Unpacking._unpack_some",
            "workers.intake.bulk.packing:Unpacking._new_frame",
        ),
        decode=_unpacked("gzip"),
        errors=(FileUnreadable,),
        valid=lambda: [(gzip.compress(LINES, mtime=0), LINES)],
        shapes=(Shape(mutate=of_bytes, samples=lambda: [gzip.compress(LINES, mtime=0)]),),
        weight=3,
    ),
    Decoder(
        name="zstd file of orders",
        covers=(
            "workers.intake.bulk.packing:Unpacking._unpack_some",
            "workers.intake.bulk.packing:Unpacking._new_frame",
        ),
        decode=_unpacked("zstd"),
        errors=(FileUnreadable,),
        valid=lambda: [(zstandard.compress(LINES), LINES)],
        shapes=(Shape(mutate=of_bytes, samples=lambda: [zstandard.compress(LINES)]),),
        weight=3,
    ),
    Decoder(
        name="file of orders",
        covers=(
            "workers.intake.bulk.results:Results._rejected",
            "workers.intake.bulk.results:Results.read",
            "workers.intake.bulk.results:Results.write",
        ),
        decode=_uploaded,
        valid=lambda: [(("a.ndjson", LINES), ["finished", "4"])],
        shapes=(Shape(mutate=_of_uploads, samples=lambda: [b""]),),
        weight=50,
    ),
    Decoder(
        name="settings of the last start",
        covers=("workers.commands.passing_on:written_down",),
        decode=_settings_of,
        valid=lambda: [(settings_files()[0], {"ORDERSTORE_STOCK_LOCATIONS": "north,south"})],
        shapes=(Shape(mutate=of_bytes, samples=settings_files),),
    ),
    Decoder(
        name="body for a dead letter",
        covers=(),
        decode=lambda content: _text_of(_file(content)),
        errors=(typer.BadParameter,),
        valid=lambda: [(b' {"a": 1}\n', '{"a": 1}')],
        shapes=(Shape(mutate=of_bytes, samples=lambda: [EVENT_TEXT.encode()]),),
    ),
    Decoder(
        name="anything that is scanned",
        covers=(
            "orderstore.privacy.scanner:Scanner._bytes",
            "orderstore.privacy.scanner:_json",
            "orderstore.privacy.scanner:_from_base64",
        ),
        decode=_scanned,
        valid=lambda: [(EVENT_TEXT, True)],
        shapes=(
            Shape(mutate=of_bytes, samples=lambda: [zstandard.compress(EVENT_TEXT.encode()), EVENT_TEXT.encode()]),
            Shape(mutate=of_tree, samples=lambda: [json.loads(EVENT_TEXT)], finish=plain),
            Shape(mutate=of_tree, samples=lambda: [json.loads(EVENT_TEXT)], finish=written),
        ),
        weight=20,
        memory_bytes_max=256 * 1024 * 1024,
    ),
    Decoder(
        name="object that is scanned",
        covers=("workers.privacy_places:_Unpacked.__call__",),
        decode=_chunks,
        valid=lambda: [(zstandard.compress(LINES), True)],
        shapes=(Shape(mutate=of_bytes, samples=lambda: [zstandard.compress(LINES), LINES]),),
        weight=5,
    ),
)
