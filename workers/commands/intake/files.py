"""`intake file`, `intake status`: a file of order requests, and what became of it."""

import json
from pathlib import Path
from typing import Annotated, Any

import anyio
import typer
from botocore.exceptions import ClientError

from orderstore.objects import KEY_BYTES_MAX
from orderstore.store.trouble import code_of
from workers.commands.intake.checking import reasons_of, refuse, wrong_lines
from workers.commands.running import DEFAULT_STATE_DIR, AsJson, StateDir, fail, with_core
from workers.core import Core
from workers.intake.bulk.files import ENDINGS, FILE_BYTES_MAX, PREFIX, UNPACKED_BYTES_MAX, FileName, packing_of
from workers.intake.bulk.messages import version_of
from workers.intake.bulk.records import total
from workers.intake.opening import bucket_of, files_desk


def put_file(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help=f"One request a line: {', '.join(ENDINGS)}")
    ],
    *,
    name: Annotated[str | None, typer.Option("--name", help="Under which name it is put; else its own.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Check every line here first; put nothing if one is wrong.")
    ] = False,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Put a file of order requests into the bucket; it is worked through from there. A name that is taken is refused."""
    key = _key(name or file.name)
    packing, size = packing_of(key), file.stat().st_size
    if packing is None:
        raise typer.BadParameter(
            f"a file's name says how it is packed: {key.removeprefix(PREFIX)} ends with none of {', '.join(ENDINGS)}"
        )
    if packing_of(file.name) != packing:
        raise typer.BadParameter(
            f"{file.name}, the file here, must end as --name does: with one of {', '.join(ENDINGS)}, packed or not as that says"
        )
    if size == 0:
        raise typer.BadParameter(f"{file.name} is empty: there is nothing to put")
    most = FILE_BYTES_MAX if packing == "none" else UNPACKED_BYTES_MAX
    if size > most:
        raise typer.BadParameter(f"a file has 1 to {most:,} bytes, this one {size:,}: cut it at a line's end")
    if check and packing != "none":
        raise typer.BadParameter("--check reads files that are not packed")
    if check:
        refuse(anyio.run(wrong_lines, file))

    async def work(core: Core) -> str:
        bucket = bucket_of(core.settings)
        with file.open("rb") as opened:
            try:
                await core.clients.s3.put_object(Bucket=bucket, Key=key, Body=opened, IfNoneMatch="*")
            except ClientError as error:
                if code_of(error) not in ("PreconditionFailed", "412"):
                    raise
                fail(
                    f"there is a file {key} already; nothing was put. Its lines would be placed again: choose another --name."
                )
        return bucket

    bucket = with_core(state_dir, work)
    if as_json:
        typer.echo(json.dumps({"bucket": bucket, "key": key, "bytes": size}, indent=2))
    else:
        typer.echo(f"{size:,} bytes as {key} in {bucket}. See: orderstore intake status {key.removeprefix(PREFIX)}")


def status(
    name: Annotated[str, typer.Argument(help="The file's name in the bucket.")],
    *,
    version: Annotated[
        str | None,
        typer.Option("--version", help="The bucket's VersionId, if it keeps versions; else the newest."),
    ] = None,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Show how far a file is, and its report once it came to its end."""
    key = _key(name)

    async def work(core: Core) -> dict[str, Any] | None:
        desk = files_desk(core)
        asked = {"VersionId": version} if version is not None else {}
        try:
            head = await core.clients.s3.head_object(Bucket=desk.bucket, Key=key, **asked)  # type: ignore[arg-type]  # a str, if it is there
        except ClientError as error:
            if code_of(error) in ("404", "NoSuchKey", "NoSuchVersion", "400"):
                return None
            raise
        file = FileName(
            bucket=desk.bucket, key=key, version=str(version_of(head.get("VersionId"))), etag=head["ETag"].strip('"')
        )
        report = await desk.results.read(file)
        if report is not None:
            return report
        record = await desk.records.file(file.id)
        if record is None:
            return {"key": key, "version": file.version, "state": "waiting", "bytes": head["ContentLength"]}
        leaves = await desk.records.leaves(file.id, record.size)
        done = total([leaf for leaf in leaves if leaf.state == "done"])
        bytes_done = sum(leaf.end - leaf.start for leaf in leaves if leaf.state == "done")
        return {
            "key": key,
            "version": file.version,
            "state": record.state,
            "bytes": record.size,
            "bytesDone": bytes_done,
            "lines": done.lines,
            "accepted": done.accepted,
            "rejected": done.rejected,
        }

    found = with_core(state_dir, work)
    if found is None:
        fail(f"there is no file {key}, or no such version of it")
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    for field, value in found.items():
        if not isinstance(value, list):
            typer.echo(f"{field:<16}{'' if value is None else value}")
    for line in found.get("firstRejected", []):
        typer.echo(f"line {line['line']}: {line['code']}: {reasons_of(line)}")


def _key(name: str) -> str:
    key = PREFIX + name.removeprefix(PREFIX)
    if key == PREFIX or key.endswith("/") or len(key.encode()) > KEY_BYTES_MAX or not key.isprintable():
        raise typer.BadParameter(f"a name is printable, not empty, and has at most {KEY_BYTES_MAX - len(PREFIX)} bytes")
    if not {"", ".", ".."}.isdisjoint(key.removeprefix(PREFIX).split("/")):
        raise typer.BadParameter("a name begins with no slash, and no part of it is empty, . or ..")
    return key
