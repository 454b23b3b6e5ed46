"""Documents as HTML and PDF: the same bytes for the same paper, and nothing that people wrote is more than text."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
import typst

from orderstore.invoicing.rendering import pdf
from orderstore.invoicing.rendering.html import render_html
from orderstore.invoicing.rendering.pdf import CannotBeSet, render_pdf
from tests.orderstore.invoicing.papers import BUYER, SELLER, credit_note, order_of, paper, refund

MARKUP = (
    "#panic(1)", "#set page(fill: red)", "$ x^2", "]", "[", "\\", "@label", "*b*", "_i_", "`raw`", "//", "/*", '"', "#read('/etc/passwd')",
    "<script>alert(1)</script>", "&amp;", "{{ 7*7 }}", "{% raise %}", "</td>", "'--", "~", "= heading", "#" * 200,
)  # fmt: skip


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())


def read(page: bytes) -> tuple[list[str], list[str]]:
    """The tags of a page, and its texts, as a browser takes them."""
    reader = _Reader()
    reader.feed(page.decode())
    reader.close()
    return reader.tags, reader.texts


def pages(document: bytes) -> int:
    return len(re.findall(rb"/Type\s*/Page[^s]", document))


@pytest.mark.parametrize("words", MARKUP)
def test_what_people_write_is_never_markup(words: str) -> None:
    """In a description, a SKU, a name, an address and a note: set as it is, on one page, and escaped."""
    order = replace(order_of([(words[:64], words, 1, "10", "20")]), reference=words)
    said = paper(order, seller=replace(SELLER, note=words), buyer=replace(BUYER, name=words, address=(words,)))
    assert pages(render_pdf(said)) == 1
    tags, texts = read(render_html(said))
    harmless = replace(order_of([("x", "x", 1, "10", "20")]), reference="x")
    as_usual = paper(harmless, seller=replace(SELLER, note="x"), buyer=replace(BUYER, name="x", address=("x",)))
    assert tags == read(render_html(as_usual))[0]
    assert texts.count(words) >= 4


@pytest.mark.parametrize("words", ["שלום עולם 42", "Ελληνικά", "Русский", "Žluťoučký", "W" * 200, "Bücher" * 30])
def test_other_scripts_and_words_without_an_end_are_set(words: str) -> None:
    """From right to left too; a word that no line is wide enough for breaks."""
    said = paper(order_of([("A", words, 1, "10", "20")]), buyer=replace(BUYER, name=words[:200]))
    assert pages(render_pdf(said)) == 1
    assert words in render_html(said).decode()


def test_a_long_word_stays_in_its_column() -> None:
    """It takes several lines, and so more pages, rather than run over the numbers beside it."""
    short, long = (order_of([(f"S{row}", word, 1, "10", "20") for row in range(16)]) for word in ("W", "W" * 200))
    assert (pages(render_pdf(paper(short))), pages(render_pdf(paper(long)))) == (1, 3)


def test_what_no_font_has_is_refused_and_says_so_without_the_words() -> None:
    """Never a box, never a gap; HTML has no such bounds. The words may be somebody's name."""
    said = paper(buyer=replace(BUYER, name="Tarō 太郎 😀"))
    with pytest.raises(CannotBeSet, match="ORDERSTORE_INVOICE_FONTS") as refused:
        render_pdf(said)
    assert "太" not in str(refused.value)
    assert refused.value.__cause__ is None
    assert "太郎 😀" in render_html(said).decode()


def test_a_folder_of_fonts_is_looked_into(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And nothing else of the machine."""
    asked = {}

    class Fonts:
        def __init__(self, **given: object) -> None:
            asked.update(given)

    monkeypatch.setattr(typst, "Fonts", Fonts)
    monkeypatch.setattr(typst, "compile", lambda *_, **given: asked.update(given) or b"pdf")
    assert render_pdf(paper(), fonts=tmp_path) == b"pdf"
    pdf._fonts.cache_clear()
    assert (asked["include_system_fonts"], asked["font_paths"].__class__, asked["pdf_standards"]) == (
        False,
        Fonts,
        "a-2b",
    )


def test_another_fault_of_the_library_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a missing character means that a document cannot be set."""

    def broken(*_: object, **__: object) -> bytes:
        raise typst.TypstError("expected semicolon", "")

    monkeypatch.setattr(typst, "compile", broken)
    with pytest.raises(typst.TypstError, match="semicolon"):
        render_pdf(paper())


def test_the_same_paper_is_the_same_bytes() -> None:
    """Whenever it is set: so what a crash left half done is done again, and a hash means something."""
    order = order_of(shipping=("4.95", "20"))
    for said in (paper(order), credit_note(order, refund((0, 1)))):
        assert render_pdf(said) == render_pdf(said)
        assert render_html(said) == render_html(said)
        assert render_pdf(said) != render_pdf(replace(said, total="1.00"))


@pytest.mark.thorough
def test_a_thousand_lines_are_set_on_many_pages() -> None:
    """With the head on each page; the text of the PDF is looked at as pictures by people."""
    order = order_of([(f"SKU-{index}", f"Item {index}", 1, "3.17", "20") for index in range(1_000)])
    said = paper(order)
    document = render_pdf(said)
    assert 25 <= pages(document) <= 60
    assert document.startswith(b"%PDF-1.7")
    assert render_html(said).count(b"<tr>") >= 1_000


def test_a_demonstration_is_marked_and_a_credit_note_names_its_invoice() -> None:
    """In the page itself."""
    page = render_html(paper(seller=replace(SELLER, demonstration=True), buyer=None)).decode()
    assert "this document is no invoice" in page
    assert "No name or address is known." in page
    note = render_html(credit_note(order_of(), refund((0, 1)))).decode()
    assert "This credit note corrects invoice <strong>INV-GB-2026-000042</strong> of 2026-03-03" in note
    assert "Demonstration" not in note
