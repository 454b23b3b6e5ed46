"""The committed documents are made, compared, restored and released; every file that is not true is named, with what to do."""

import json
from pathlib import Path

import pytest

from orderstore.schemas import files
from orderstore.schemas.documents import FORM_NAMES, documents
from orderstore.schemas.files import SchemaFilesError, cut, damaged, read_release, releases, untrue, write
from orderstore.schemas.manifests import MANIFEST, manifest_of

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A copy of what is committed."""
    found = tmp_path / "docs" / "schemas"
    for path in (DOCS / "schemas").rglob("*.*"):
        if path.is_file():
            copy = found / path.relative_to(DOCS / "schemas")
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    write(found)
    return found


def troubles(directory: Path) -> list[tuple[str, str]]:
    return [(one.path.name, one.trouble) for one in untrue(directory)]


@pytest.mark.thorough
def test_what_is_written_is_true_and_written_once(directory: Path) -> None:
    """Twice the same bytes, and nothing to do the second time."""
    before = {path: path.read_bytes() for path in directory.rglob("*.json")}

    assert untrue(directory) == ()
    assert write(directory) == ()
    assert {path: path.read_bytes() for path in directory.rglob("*.json")} == before
    assert all(content.endswith(b"}\n") for content in before.values())
    assert {path.name for path in (directory / "stored").iterdir()} >= {
        f"{one.name}-{one.version}.json" for one in documents() if one.form == "stored"
    }


@pytest.mark.thorough
def test_a_missing_a_stale_and_a_superfluous_file_are_named(directory: Path) -> None:
    """All of them at once, each with its path; `write` mends them all."""
    (directory / "published" / "OrderCreated-1.0.json").unlink()
    (directory / "stored" / "PaymentVoided-1.0.json").write_text("{}\n")
    (directory / "stored" / "PaymentExploded-1.0.json").write_text("{}\n")
    (directory / "README.md").write_text("")
    (directory.parent / "asyncapi.json").unlink()

    found = untrue(directory)

    assert {(one.path.name, one.trouble) for one in found} == {
        ("OrderCreated-1.0.json", "missing"),
        ("PaymentVoided-1.0.json", "stale"),
        ("PaymentExploded-1.0.json", "superfluous"),
        ("README.md", "stale"),
        ("asyncapi.json", "missing"),
    }
    assert all("orderstore schemas write" in str(one) and str(one).startswith(str(one.path)) for one in found)
    assert len(write(directory)) == 5
    assert untrue(directory) == ()


@pytest.mark.thorough
def test_a_version_of_the_past_is_restored_from_its_release(directory: Path) -> None:
    """Nobody edits history: the release has it, and `write` brings it back."""
    past = directory / "stored" / "RefundRequested-1.0.json"
    original = past.read_bytes()
    past.write_bytes(original.replace(b'"reason"', b'"why"'))

    assert troubles(directory) == [(past.name, "changed")]
    write(directory)
    assert past.read_bytes() == original
    past.unlink()
    assert troubles(directory) == [(past.name, "missing")]
    write(directory)
    assert past.read_bytes() == original


@pytest.mark.thorough
def test_a_version_of_the_past_that_no_release_holds_is_asked_for(directory: Path) -> None:
    """It cannot be made anew: nothing is written at all, and the message says where to look."""
    name = "stored/RefundRequested-1.0.json"
    (directory / "releases" / "0.1.0" / name).unlink()
    assert untrue(directory) == ()  # the file is the only record, and is taken as it is
    (directory / name).unlink()
    (directory / "README.md").unlink()

    with pytest.raises(SchemaFilesError, match="restore it from version control"):
        write(directory)
    assert not (directory / "README.md").exists()


def test_a_file_that_is_no_schema_is_said_to_be_none(directory: Path) -> None:
    """A merge conflict, a list: one sentence, no trace."""
    (directory / "releases" / "0.1.0" / "stored" / "PaymentFailed-1.0.json").write_text("<<<<<<<")
    with pytest.raises(SchemaFilesError, match="not JSON"):
        read_release(directory, "0.1.0")
    (directory / "releases" / "0.1.0" / "stored" / "PaymentFailed-1.0.json").write_text("[]")
    with pytest.raises(SchemaFilesError, match="not a schema"):
        read_release(directory, "0.1.0")
    (directory / "releases" / "0.1.0" / "stored" / "notes.txt").write_text("")
    with pytest.raises(SchemaFilesError):
        read_release(directory, "0.1.0")


def test_a_directory_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    """In the wrong place, with what to do."""
    with pytest.raises(SchemaFilesError, match="--dir"):
        untrue(tmp_path / "docs" / "schemas")
    with pytest.raises(SchemaFilesError, match="--dir"):
        write(tmp_path / "docs" / "schemas")
    assert not (tmp_path / "docs").exists()


@pytest.mark.thorough
def test_a_release_holds_the_present_once(directory: Path) -> None:
    """What is committed is copied; the same release again, another name, or untrue files are refused."""
    folder = cut(directory, "9.0.0")

    assert releases(directory)[-1] == "9.0.0"
    assert {(one.form, one.name, one.version) for one in read_release(directory, "9.0.0")} >= {
        (one.form, one.name, one.version) for one in documents()
    }
    assert {path.name for path in folder.iterdir()} == {*FORM_NAMES, MANIFEST}
    assert damaged(directory) == ()
    with pytest.raises(SchemaFilesError, match="held already"):
        cut(directory, "9.0.0")
    with pytest.raises(SchemaFilesError, match=r"1\.2\.3"):
        cut(directory, "next")
    (directory / "README.md").unlink()
    with pytest.raises(SchemaFilesError, match="schemas write"):
        cut(directory, "9.1.0")
    assert not (directory / "releases" / "9.1.0").exists()


def test_every_file_of_a_release_that_is_gone_altered_or_foreign_is_named(directory: Path) -> None:
    """Whatever form it has: the list of the release knows better, and nothing of it is written anew."""
    folder = directory / "releases" / "0.1.0"
    (folder / "published" / "OrderCancelled-1.0.json").unlink()
    altered = folder / "stored" / "PaymentFailed-1.0.json"
    altered.write_bytes(altered.read_bytes() + b"\n")
    (folder / "stored" / "Novelty-1.0.json").write_text("{}")
    (folder / "notes.txt").write_text("")

    for found in (damaged(directory), damaged(directory, "0.1.0")):
        assert [(str(one.path.relative_to(folder)), one.trouble) for one in found] == [
            ("notes.txt", "foreign"),
            ("published/OrderCancelled-1.0.json", "missing"),
            ("stored/Novelty-1.0.json", "foreign"),
            ("stored/PaymentFailed-1.0.json", "altered"),
        ]
    assert all("version control" in one.advice or "remove it" in one.advice for one in found)


@pytest.mark.parametrize(
    "text", ["<<<<<<<", "[]", "{}", '{"files": []}', '{"files": [{"path": "x"}]}', '{"files": 3}', "\xff"]
)
def test_a_release_without_a_list_that_can_be_read_is_said_to_be_so(directory: Path, text: str) -> None:
    """A merge conflict, an empty list, none at all: the list itself is named."""
    manifest = directory / "releases" / "0.1.0" / MANIFEST
    manifest.write_bytes(text.encode("latin-1"))
    assert [(one.path, one.trouble) for one in damaged(directory)] == [(manifest, "altered")]
    manifest.unlink()
    assert [(one.path, one.trouble) for one in damaged(directory)] == [(manifest, "missing")]


def test_the_list_of_a_release_is_sorted_and_made_from_its_files(directory: Path) -> None:
    """Who cuts the same release again gets the same bytes."""
    folder = directory / "releases" / "0.1.0"
    paths = [one["path"] for one in json.loads((folder / MANIFEST).read_bytes())["files"]]

    assert paths == sorted(paths)
    assert len(paths) == len(read_release(directory, "0.1.0"))
    assert manifest_of(folder) == (folder / MANIFEST).read_bytes()


def test_releases_are_in_the_order_of_their_numbers(directory: Path) -> None:
    """0.10.0 comes after 0.9.0; what is no release is not taken for one."""
    for name in ("0.10.0", "0.9.0", "draft"):
        (directory / "releases" / name).mkdir()

    assert releases(directory) == ("0.1.0", "0.9.0", "0.10.0")
    with pytest.raises(SchemaFilesError, match="is empty"):
        read_release(directory, "0.10.0")
    with pytest.raises(SchemaFilesError, match=r"it holds 0\.1\.0"):
        read_release(directory, "0.2.0")


def test_the_table_names_every_event_with_its_versions() -> None:
    """Name, owner, versions, consumers and promise: the registry, to be read."""  # E124
    table = (DOCS / "schemas" / "README.md").read_text()

    assert "| RefundRequested | order | [2.0](stored/RefundRequested-2.0.json) | [1.0]" in table
    links = [part.split(")")[0] for part in table.split("](")[1:]]
    assert all((DOCS / "schemas" / link).exists() for link in links if link != "../evolution.md")


def test_nothing_in_the_documents_belongs_to_one_machine_or_account() -> None:
    """No host, no account number, no path."""
    for path in [*(DOCS / "schemas").rglob("*.json"), DOCS / "asyncapi.json"]:
        text = path.read_text()
        assert json.loads(text)
        for trace in ("/home", "localhost", "127.0.0.1", "amazonaws", "arn:", "000000000000"):
            assert trace not in text, path


def test_the_names_of_the_files_are_read_back() -> None:
    """What `path_of` writes is what a release is read by."""
    assert all(files._FILE.fullmatch(Path(one.path).name) for one in documents())
