"""Renderings bound together: what goes in comes out, the same is the same bytes, and what is no binding is refused."""

import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderstore.domain.billing_facts import MediaType
from orderstore.invoicing import binding
from orderstore.invoicing.binding import NotBound, bind, unbind

PDF: MediaType = "application/pdf"
HTML: MediaType = "text/html"


@given(st.dictionaries(st.sampled_from([PDF, HTML]), st.binary(max_size=300)))
def test_what_was_bound_is_found_again(renderings) -> None:
    """Whatever forms there are, in whatever order they were drawn, and also where one of them looks like a binding."""
    assert unbind(bind(renderings)) == renderings
    assert bind(dict(reversed(renderings.items()))) == bind(renderings)
    assert unbind(bind({HTML: bind(renderings)})) == {HTML: bind(renderings)}


def test_any_tool_reads_it() -> None:
    """Under names that say what they are; and next to nothing is added."""
    bound = bind({HTML: b"<p>", PDF: b"%PDF"})
    with zipfile.ZipFile(io.BytesIO(bound)) as archive:
        assert archive.namelist() == ["document.pdf", "document.html"]
        assert archive.read("document.html") == b"<p>"
    assert len(bound) < 300


def zipped(name: str, content: bytes, compression: int = zipfile.ZIP_STORED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", compression=compression) as archive:
        archive.writestr(name, content)
    return made.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not ours",
        bind({HTML: b"<p>" * 9})[:-5],
        bind({HTML: b"<p>" * 9}).replace(b"<p><p>", b"<p>!p>"),
        zipped("../document.pdf", b"%PDF"),
        zipped("document.html", b"<p>" * 100, zipfile.ZIP_DEFLATED),
    ],
    ids=["nothing", "no archive", "cut", "changed", "another name", "compressed"],
)
def test_what_is_no_binding_is_refused(content: bytes) -> None:
    """In one way, whatever is wrong with it."""
    with pytest.raises(NotBound):
        unbind(content)


def test_what_is_longer_than_any_rendering_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever its head says."""
    monkeypatch.setattr(binding, "RENDERING_BYTES_MAX", 8)
    with pytest.raises(NotBound):
        unbind(bind({HTML: b"<p>" * 9}))


@given(st.binary(max_size=200), st.integers(0, 250))
def test_any_bytes_are_bound_renderings_or_refused(noise: bytes, at: int) -> None:
    """Nothing else is raised."""
    whole = bind({HTML: b"<p>", PDF: b"%PDF"})
    for content in (noise, whole[:at] + noise + whole[at:], whole[:at] + noise + whole[at + len(noise) :]):
        try:
            unbind(content)
        except NotBound:
            continue


def test_more_entries_than_there_are_kinds_are_not_read() -> None:
    """Each of very many could stand for the same bytes, and be read anew."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("document.pdf", b"%PDF")
        for _ in range(2):
            with pytest.warns(UserWarning, match="Duplicate"):
                archive.writestr("document.pdf", b"%PDF")
    with pytest.raises(NotBound):
        unbind(made.getvalue())
