"""A segment gives back the commits that went in, byte for byte, or says that it is damaged."""

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from orderstore.archive.segment import BadSegment, commits_in, key_of, line_of, pack, unpack
from orderstore.store.chain import seal
from orderstore.store.port import Commit

STREAM = "main/order-1"


def commit(body: bytes, *, stream: str = STREAM) -> Commit:
    return seal(stream=stream, number=1, recorded_at_ms=1_780_000_000_000, body=body, previous=None)


def back(*commits: Commit) -> list[Commit]:
    segment = pack([line_of(one) for one in commits])
    return list(commits_in(unpack(segment.content, raw_bytes=segment.raw_bytes)))


@given(st.lists(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)), min_size=1, max_size=5))
def test_any_bytes_come_back_as_they_were(bodies: list[bytes]) -> None:
    """Text stands as text, anything else in base64; line feeds, quotes and zeros included."""
    commits = [commit(body, stream=f"Größe/order-{place}") for place, body in enumerate(bodies)]

    assert back(*commits) == commits


def test_text_can_be_read_with_the_eye() -> None:
    """A line is plain JSON: an auditor needs no program of ours."""
    line = line_of(commit('{"größe":"5 µm"}'.encode()))

    assert b'"body":"{\\"gr\xc3\xb6\xc3\x9fe\\":\\"5 \xc2\xb5m\\"}"' in line
    assert b"body_base64" in line_of(commit(b"\xff\x00"))


@pytest.mark.thorough
def test_a_commit_of_16_mib_is_archived_whole() -> None:
    """Also one that the table keeps in an object of its own."""
    large = commit(b'{"lines":"' + b"x" * (16 * 1024 * 1024 - 12) + b'"}')

    assert back(large) == [large]


def test_the_same_commits_are_the_same_object() -> None:
    """The key is the content, so that two archivers that make the same segment store it once."""
    first, second = (pack([line_of(commit(b"{}"))]) for _ in range(2))

    assert first == second
    assert first.key == key_of(first.sha256)


def test_a_small_object_cannot_fill_the_memory() -> None:
    """What it would decompress to is looked at before it is."""
    bomb = zstandard.ZstdCompressor().compress(bytes(10_000_000))

    with pytest.raises(BadSegment, match="does not decompress to 100 bytes"):
        unpack(bomb, raw_bytes=100)


@pytest.mark.parametrize(
    "line",
    [
        b"not JSON",
        b"{}",
        b'{"stream":"s","commit":1,"recorded_at_ms":1,"previous_hash":"00","hash":"00","body":""}',
        b'{"stream":"","commit":1,"recorded_at_ms":1,"previous_hash":"%s","hash":"%s","body":""}'
        % (b"0" * 64, b"0" * 64),
        b'{"stream":"s","commit":1,"recorded_at_ms":1,"previous_hash":"%s","hash":"%s"}' % (b"0" * 64, b"0" * 64),
        b'{"stream":"s","commit":1,"recorded_at_ms":1,"previous_hash":"%s","hash":"%s","body_base64":"*"}'
        % (b"0" * 64, b"0" * 64),
    ],
)
def test_a_line_that_is_no_commit_is_named(line: bytes) -> None:
    """With its number."""
    with pytest.raises(BadSegment, match="line 1 is not a commit"):
        list(commits_in(line + b"\n"))


def test_what_is_not_compressed_is_refused() -> None:
    """Noise, and a frame with something behind it."""
    segment = pack([line_of(commit(b"{}"))])
    with pytest.raises(BadSegment):
        unpack(b"noise", raw_bytes=5)
    with pytest.raises(BadSegment):
        unpack(segment.content + b"more", raw_bytes=segment.raw_bytes)
