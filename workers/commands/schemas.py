"""`schemas …`: what events look like, held to the committed documents and to what the last release promised."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import typer

from orderstore.schemas.chains import faults
from orderstore.schemas.files import SchemaFilesError, Untrue, cut, damaged, read_release, releases, untrue, write
from orderstore.schemas.releases import Judgement, judge
from workers.commands.running import AsJson

DEFAULT_DIRECTORY: Final = Path("docs/schemas")
Directory = Annotated[Path, typer.Option("--dir", help="Where the schemas are committed.")]
Since = Annotated[str, typer.Option("--release", help="The release to compare with; the last one if none is named.")]


def add_to(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(help="What events look like, and what a change of it breaks.", no_args_is_help=True)
    group.command()(check)
    group.command()(diff)
    group.command(name="write")(write_documents)
    group.command()(release)
    app.add_typer(group, name="schemas")


def check(*, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """Check that the documents are true, all history can be read and no promise is broken. Exit 1 if not. Writes nothing."""
    wrong = (*untrue(directory), *damaged(directory))
    broken_chains = faults()
    since = _since(directory, "")
    judged = () if damaged(directory, since) else _judged(directory, since)
    broken = [one for one in judged if one.broken]
    ok = not wrong and not broken_chains and not broken
    if as_json:
        found = {
            "ok": ok,
            "release": since,
            "files": _shown(wrong),
            "upcasters": [asdict(fault) for fault in broken_chains],
            "breaks": [asdict(one) for one in broken],
        }
        typer.echo(json.dumps(found, indent=2))
    else:
        for line in (*wrong, *broken_chains):
            typer.echo(str(line))
        _tell(broken)
        count = len(wrong) + len(broken_chains) + len(broken)
        typer.echo(f"{count} findings" if count else f"the documents are true; {_summary(since, judged)}")
    if not ok:
        raise typer.Exit(1)


def diff(*, directory: Directory = DEFAULT_DIRECTORY, since: Since = "", as_json: AsJson = False) -> None:
    """List what changed since a release: a verdict for each version, a reason for each field. Exit 1 if a promise is broken."""
    since = _since(directory, since)
    wrong = damaged(directory, since)
    judged = () if wrong else _judged(directory, since)
    changed = [one for one in judged if not one.unchanged]
    if as_json:
        found = {"release": since, "files": _shown(wrong), "changed": [asdict(one) for one in changed]}
        typer.echo(json.dumps(found, indent=2))
    else:
        for line in wrong:
            typer.echo(str(line))
        _tell(changed)
        typer.echo(f"{len(wrong)} findings: nothing was compared" if wrong else _summary(since, judged))
    if wrong or any(one.broken for one in judged):
        raise typer.Exit(1)


def write_documents(*, directory: Directory = DEFAULT_DIRECTORY) -> None:
    """Write the documents that are missing or stale, and remove those that are superfluous."""
    touched = write(directory)
    for path in touched:
        typer.echo(str(path))
    typer.echo(f"{len(touched)} files written or removed" if touched else "everything was true already")


def release(
    version: Annotated[str, typer.Argument(metavar="VERSION", help="Such as 1.2.0.")],
    *,
    directory: Directory = DEFAULT_DIRECTORY,
) -> None:
    """Hold the present schemas as release VERSION, so that later changes are held to it. Refuses while a promise is broken."""
    since = _since(directory, "")
    wrong = damaged(directory) if since else ()
    if wrong:
        raise SchemaFilesError(f"{wrong[0]}. Nothing was written")
    judged = _judged(directory, since)
    broken = [str(one) for one in judged if one.broken]
    if broken:
        raise SchemaFilesError(
            f"{', '.join(broken)}: broken since release {since}; `orderstore schemas diff` says why. Nothing was written"
        )
    typer.echo(f"{cut(directory, version)}: commit it with the release")


def _since(directory: Path, named: str) -> str:
    """The release that is compared with: the one that is named, else the last; "" where there is none."""
    held = releases(directory)
    return named or (held[-1] if held else "")


def _judged(directory: Path, since: str) -> tuple[Judgement, ...]:
    return judge(read_release(directory, since)) if since else ()


def _shown(wrong: Sequence[Untrue]) -> list[dict[str, str]]:
    return [{"path": str(one.path), "trouble": one.trouble, "advice": one.advice} for one in wrong]


def _tell(judged: Sequence[Judgement]) -> None:
    for one in judged:
        kind = "BREAK" if one.broken else "ok"
        said = one.broken or one.note or f"promised {one.promise}"
        typer.echo(f"{kind:5} {one}: {one.verdict}; {said}")
        for change in one.changes:
            typer.echo(f"        {change} [{change.verdict}]")


def _summary(since: str, judged: Sequence[Judgement]) -> str:
    broken, changed = (sum(bool(one.broken) for one in judged), sum(not one.unchanged for one in judged))
    return f"{len(judged)} versions of release {since}: {changed} changed, {broken} broken"
