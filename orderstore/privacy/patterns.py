"""How a card number, a card's security code and an e-mail address are recognised in a text, however they are written. Pure.

The door refuses by these patterns what must never come in, and the scanner proves by them that nothing did.

PCI DSS 3.2.1 and 3.3.1: no security code may be kept at all, not even encrypted; a card number (ISO/IEC 7812: 13 to 19 digits with the
check digit of Luhn) never stands in the clear. People write them in groups, with any separator, in any script's digits.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import Final

Span = tuple[int, int]
"""Where in the folded text something was found."""

CARD_DIGITS: Final = (13, 19)
# Digits with up to three separators between any two: whatever is neither letter nor digit.
_CHAIN: Final = re.compile(r"[0-9](?:[\W_]{0,3}[0-9]){12,}")
_DATE: Final = re.compile(
    r"(?<![0-9])(?:[0-3]?[0-9]([./-])[0-3]?[0-9]\1(?:19|20)[0-9]{2}|(?:19|20)[0-9]{2}([./-])[01]?[0-9]\2[0-3]?[0-9])(?![0-9])"
)
_O_FOR_ZERO: Final = re.compile(r"(?<![^\W_])[0-9Oo]+(?![^\W_])")
_GROUP: Final = re.compile(r"[0-9]+")
# Sizes of groups that card numbers are printed in; the last group takes what is left.
_FOURS_LAST_MAX: Final = 7
_OTHER_LAYOUTS: Final = frozenset({(4, 6, 4), (4, 6, 5), (8, 8)})

_FILLER: Final = r"(?:[\W_]|\b(?:is|was|no|nr|num|number|code|value|on|the|back|of|my|card)\b)"
_CODE_DIGITS: Final = r"(?<![0-9])[0-9](?:[ .\-]?[0-9]){2,3}(?![0-9])"
_LONG_NAMES: Final = (
    r"(?:card[\s_-]*)?(?:security|verification)[\s_-]*(?:code|number|value)|card[\s_-]*(?:code|validation[\s_-]*code)"
)
_CERTAIN: Final = (
    rf"(?<![a-z0-9])(?:(?:cvv2?|cvc2?|cvn2?|cav2){_FILLER}{{0,12}}?|(?:{_LONG_NAMES}){_FILLER}{{1,12}}?){_CODE_DIGITS}"
)
_REVERSED: Final = r"(?<![0-9])[0-9]{3,4}(?:\W|\b(?:is|my|the|as)\b){1,8}?(?:cvv2?|cvc2?)(?![a-z0-9])"
_ABBREVIATED: Final = rf"(?<![a-z0-9])(?:cid|csc){_FILLER}{{1,12}}?{_CODE_DIGITS}"
_SECURITY_CODE: Final = re.compile(f"{_CERTAIN}|{_REVERSED}|{_ABBREVIATED}", re.IGNORECASE | re.ASCII)
PARTS_OF_NAMES: Final = ("cvv", "cvc", "cvn", "cav2", "cid", "csc", "code", "number", "value")
_CERTAIN_CODE: Final = re.compile(f"{_CERTAIN}|{_REVERSED}", re.IGNORECASE | re.ASCII)

_EMAIL: Final = re.compile(r"[^\s@<>()\[\]{},;:\"'\\/|=]{1,64}@(?:[\w-]{1,63}\.)+[^\W\d_]{2,63}")


def fold(text: str) -> str:
    """The text as its reader sees it: compatibility forms undone (NFKC), any script's digits as ASCII, any space, dash and dot as the plain
    one, and what nobody sees (zero-width characters, variation selectors) left out."""
    if text.isascii():
        return text
    return "".join([_seen(character) for character in unicodedata.normalize("NFKC", text)])


def card_numbers(folded: str, *, digits_min: int = CARD_DIGITS[0], any_groups: bool = True) -> Iterator[Span]:
    """Where card numbers of at least `digits_min` digits stand in a folded text. Not `any_groups`: in odd groups only with blanks and
    dashes, since the rows of a table are numbers with commas between them."""
    folded = _with_zeros(folded)
    for chain in _CHAIN.finditer(folded):
        groups = [
            (chain.start() + start, chain.start() + end) for start, end in map(re.Match.span, _GROUP.finditer(chain[0]))
        ]
        for first, last in _windows(folded, groups, any_groups=any_groups):
            digits = "".join([folded[start:end] for start, end in groups[first : last + 1]])
            if len(digits) >= digits_min and _is_card_number(digits):
                yield groups[first][0], groups[last][1]


def security_codes(folded: str, *, abbreviations: bool = True) -> Iterator[Span]:
    """Where a card's security code stands with its name in a folded text. `abbreviations`: also after CID and CSC, which in an identifier
    mean other things."""
    lowered = folded.lower()
    if any(part in lowered for part in PARTS_OF_NAMES):  # most texts hold none, and are not looked at letter by letter
        for found in (_SECURITY_CODE if abbreviations else _CERTAIN_CODE).finditer(folded):
            yield found.span()


def email_addresses(folded: str) -> Iterator[Span]:
    """Where e-mail addresses stand in a folded text."""
    if "@" in folded:
        for found in _EMAIL.finditer(folded):
            yield found.span()


def _windows(folded: str, groups: list[Span], *, any_groups: bool) -> Iterator[tuple[int, int]]:
    """Which runs of neighbouring groups could be one number: (first, last) of each."""
    sizes = [end - start for start, end in groups]
    low, high = CARD_DIGITS
    # With nothing else beside it, a number may be grouped as its writer likes; but dates are no card's.
    for first, last in _alone(folded, groups, any_groups=any_groups):
        whole = folded[groups[first][0] : groups[last][1]]
        if low <= sum(sizes[first : last + 1]) <= high and not _DATE.search(whole):
            yield first, last
    for first, size in enumerate(sizes):
        if low <= size <= high:
            yield first, first
        total = size
        for last in range(first + 1, len(sizes)):
            total += sizes[last]
            if total > high:
                break
            if total >= low and _is_layout(tuple(sizes[first : last + 1])):
                yield first, last


def _alone(folded: str, groups: list[Span], *, any_groups: bool) -> Iterator[tuple[int, int]]:
    """Those with nothing but blanks and dashes between them; with `any_groups` also all, and those with one and the same separator."""
    between = [folded[before[1] : after[0]] for before, after in pairwise(groups)]
    plain = ["" if not gap.strip(" -") else gap for gap in between]
    runs = {(0, len(between))} if between and (any_groups or not any(plain)) else set()
    for kind in (plain, between) if any_groups else (plain,):
        start = 0
        for index in range(1, len(kind) + 1):
            if index == len(kind) or kind[index] != kind[start]:
                if any_groups or not kind[start]:
                    runs.add((start, index))
                start = index
    yield from sorted(runs)


def _with_zeros(folded: str) -> str:
    """The letter O as the zero that it stands for, in words of nothing but O and digits."""
    if "o" not in folded and "O" not in folded:
        return folded
    return _O_FOR_ZERO.sub(lambda found: found[0].replace("O", "0").replace("o", "0"), folded)


def _is_layout(sizes: tuple[int, ...]) -> bool:
    fours = all(size == 4 for size in sizes[:-1]) and sizes[-1] <= _FOURS_LAST_MAX
    return fours or sizes in _OTHER_LAYOUTS or all(size == 1 for size in sizes)


def _is_card_number(digits: str) -> bool:
    """By its first digits, as the card schemes have shared them out, and its check digit."""
    prefix = int(digits[:4])
    ours = digits[0] in "3456" or (len(digits) == 16 and (2200 <= prefix <= 2204 or 2221 <= prefix <= 2720))
    return ours and passes_luhn(digits)


def passes_luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812-1, annex B)."""
    total = 0
    for index, digit in enumerate(map(int, reversed(digits))):
        total += digit if index % 2 == 0 else sum(divmod(digit * 2, 10))
    return total % 10 == 0


@lru_cache(maxsize=4_096)
def _seen(character: str) -> str:
    if character.isascii():
        return character
    digit = unicodedata.digit(character, None)
    if digit is not None:
        return str(digit)
    match unicodedata.category(character):
        case "Cf" | "Mn" | "Me":
            return ""
        case "Zs" | "Zl" | "Zp":
            return " "
        case "Pd":
            return "-"
        case _:
            return {"\u2212": "-", "\u00b7": ".", "\u2022": ".", "\u2027": ".", "\u3002": "."}.get(character, character)
