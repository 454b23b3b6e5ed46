"""What billing is told from outside: who sells, the names of series, and fonts. Part of `Settings`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orderstore.invoicing.sellers import PREFIX_PATTERN, parse_sellers
from workers.variables import matching, setting

DOCUMENT_BYTES_MAX: Final = 256 * 1024
_prefix: Final = matching(
    PREFIX_PATTERN, "must be 1 to 40 letters, digits, dots, dashes or underscores, the first a letter or a digit"
)


def _sellers(value: str) -> str:
    """The document itself, or the path of the file that holds it. Returns the document, once it is checked."""
    given = value.strip()
    if not given:
        raise ValueError("must not be empty")
    text = given if given.startswith(("{", "[")) or "\n" in given else _read(Path(given))
    parse_sellers(text)
    return text


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(DOCUMENT_BYTES_MAX + 1)
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error
    if len(content) > DOCUMENT_BYTES_MAX:
        raise ValueError(f"is longer than {DOCUMENT_BYTES_MAX} bytes")
    return content.decode()


def _folder(value: str) -> str:
    if not Path(value).is_dir():
        raise ValueError("is no folder")
    return value


# Without slots: of several bases of one class, only one can have them.
@dataclass(frozen=True, kw_only=True)
class BillingSettings:
    """One environment variable a field, as in `Settings`."""

    sellers: str | None = setting(
        _sellers,
        "who sells: a TOML or JSON document, or the path of one; see docs/invoices.md. The billing role refuses to start without one, "
        "unless the providers are the sandbox's: then the seller is a demonstration",
        default=None,
        business=True,
    )
    invoice_series: str = setting(
        _prefix,
        "how the names of invoice series begin (the year follows); only without ORDERSTORE_SELLERS, which names its own",
        default="INV",
        business=True,
    )
    credit_note_series: str = setting(_prefix, "the same of credit notes", default="CN", business=True)
    invoice_fonts: str | None = setting(
        _folder, "a folder of fonts for characters that invoices' own fonts lack", default=None, business=True
    )
