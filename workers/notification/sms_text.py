"""How long a text is as an SMS, and how it is made to fit. Pure.

An SMS holds 140 bytes: 160 characters of the GSM 7-bit alphabet (3GPP TS 23.038, some of them count twice) or 70 UTF-16 units; in one of
several parts a header takes 7 characters or 3 units of that. Each part is paid for.
"""

from dataclasses import dataclass
from typing import Final, Literal

GSM: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
# Written with an escape before them: two characters' worth.
GSM_DOUBLE: Final = frozenset("^{}\\[~]|€\f")
GSM_ALONE, GSM_PART = 160, 153
UCS2_ALONE, UCS2_PART = 70, 67
CUT: Final = "..."


@dataclass(frozen=True, slots=True)
class Length:
    """What a text comes to: in which alphabet, how many characters of it, and how many parts are paid for."""

    alphabet: Literal["GSM-7", "UCS-2"]
    units: int
    parts: int


def length_of(text: str) -> Length:
    """Measure a text. The empty one has no part."""
    if all(character in GSM or character in GSM_DOUBLE for character in text):
        sizes = [2 if character in GSM_DOUBLE else 1 for character in text]
        return Length("GSM-7", sum(sizes), _parts(sizes, GSM_ALONE, GSM_PART))
    sizes = [len(character.encode("utf-16-be")) // 2 for character in text]
    return Length("UCS-2", sum(sizes), _parts(sizes, UCS2_ALONE, UCS2_PART))


def fitted(text: str, parts_max: int) -> str:
    """The text on one line, cut with dots where it would need more than `parts_max` parts. Raises ValueError for less than one part."""
    if parts_max < 1:
        raise ValueError("an SMS has at least one part")
    whole = " ".join(text.split())
    if length_of(whole).parts <= parts_max:
        return whole
    fits, too_long = 0, len(whole)
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        if length_of(whole[:middle].rstrip() + CUT).parts <= parts_max:
            fits = middle
        else:
            too_long = middle
    return whole[:fits].rstrip() + CUT


def _parts(sizes: list[int], alone: int, part: int) -> int:
    """No character is torn apart: one that does not fit in a part begins the next."""
    if sum(sizes) <= alone:
        return 1 if sizes else 0
    parts, left = 1, part
    for size in sizes:
        if size > left:
            parts, left = parts + 1, part
        left -= size
    return parts
