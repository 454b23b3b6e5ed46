"""What an operator types is held to what the door lets in: card data in a receipt or an SKU end the command before anything is opened."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from workers.cli import build

CARD = "4242-4242-4242-4242"


@pytest.mark.parametrize(
    "arguments",
    [
        ("stock", "receive", CARD, "1", "--receipt", "r-1"),
        ("stock", "receive", "A", "1", "--receipt", f"paid with {CARD}"),
        ("stock", "receive", "A", "1", "--receipt", "CVV 123"),
        ("stock", "receive", "A", "1", "--receipt", "ada@mail.example"),
        ("stock", "receive", " ", "1", "--receipt", "r-1"),
        ("privacy", "erase", "c-1", "--reason", f"paid with {CARD}"),
        ("privacy", "erase", "c-1", "--reason", "security code 123"),
        ("privacy", "erase", "c-1", "--reason", "asked by ada@mail.example"),
        ("privacy", "erase", "c-1", "--reason", "x" * 501),
        ("privacy", "erase", "c-1", "--reason", "t", "--by", CARD),
        ("privacy", "erase", "--reason", "t"),
        ("privacy", "erase", "c-1", "--order", "o-1", "--reason", "t"),
    ],
)
def test_card_data_and_addresses_are_refused_and_not_repeated(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """Exit 2, in words; the value stands nowhere in them. No environment is needed to be told so."""
    done = CliRunner().invoke(build(), [*arguments, "--state-dir", str(tmp_path / "none")])

    assert done.exit_code == 2, done.output
    assert "4242" not in done.output
    assert "mail.example" not in done.output


def test_a_delivery_with_a_card_number_in_its_file_books_nothing(tmp_path: Path) -> None:
    """The line is named, not the number."""
    file = tmp_path / "delivery.csv"
    file.write_text(f"sku,quantity\nA,1\n{CARD},1\n", encoding="utf-8")

    done = CliRunner().invoke(build(), ["stock", "load", str(file), "--state-dir", str(tmp_path / "none")])

    assert done.exit_code == 2, done.output
    assert "line 3" in done.output
    assert "4242" not in done.output
