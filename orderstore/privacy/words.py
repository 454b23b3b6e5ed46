"""What people write in their own words, such as why they cancel: sealed for the order's customer, since it may say anything of anybody."""

from typing import Final, Protocol

from orderstore.domain.events import FreeText, OrderCreated, SealedText
from orderstore.privacy.keys import KeyErased, KeyUnusable
from orderstore.privacy.subjects import operational_subject

# What was sealed for somebody who is erased cannot be compared with anything any more.
UNREADABLE: Final = (KeyErased, KeyUnusable)


class Vault(Protocol):
    """Encrypts personal data with the key of its subject; see `orderstore/privacy/sealing.py`."""

    async def seal(self, subject: str, purpose: str, plain: bytes) -> SealedText:
        """Readable only with the subject's key, and for this purpose. Raises KeyErased, KeyUnusable."""
        ...

    async def open(self, sealed: SealedText, purpose: str) -> bytes:
        """What was sealed. Raises KeyErased, KeyUnusable."""
        ...


def cancellation_words(stream: str) -> str:
    """What the words of a cancellation are sealed for: this order's, and no other text."""
    return f"{stream}/cancellation"


def refund_words(stream: str, refund_id: str) -> str:
    """What the words of a refund are sealed for."""
    return f"{stream}/refund/{refund_id}"


def hold_words(stream: str, hold_id: str) -> str:
    """What the words of a hold are sealed for."""
    return f"{stream}/hold/{hold_id}"


def release_words(stream: str, hold_id: str) -> str:
    """What the words of a hold's release are sealed for."""
    return f"{stream}/hold/{hold_id}/release"


def return_words(stream: str, return_id: str) -> str:
    """What the words of somebody who sends goods back are sealed for."""
    return f"{stream}/return/{return_id}"


def decline_words(stream: str, return_id: str) -> str:
    """What the words of whoever declines a return are sealed for."""
    return f"{stream}/return/{return_id}/decline"


def note_words(stream: str, note_id: str) -> str:
    """What a note about an order is sealed for."""
    return f"{stream}/note/{note_id}"


def resume_words(stream: str, stage: str, subject: str | None) -> str:
    """What the words of whoever did something about a stage that stalled are sealed for."""
    return f"{stream}/stall/{stage}" if subject is None else f"{stream}/stall/{stage}/{subject}"


async def seal_words(vault: Vault, order: OrderCreated, text: str, purpose: str) -> FreeText | None:
    """Seal what a person wrote. None once the customer is erased: what they ask for is done, but their words could not be kept without
    bringing back what was erased. Raises KeyUnusable."""
    subject = operational_subject(order.customer_id, order.order_id)
    try:
        return FreeText(sealed=await vault.seal(subject, purpose, text.encode()))
    except KeyErased:
        return None


async def words_say(vault: Vault, words: FreeText | None, text: str, purpose: str) -> bool:
    """Whether the words in the log say `text`: how a repeat is told from another request. Once nobody can read them, a repeat is taken at
    its word."""
    if words is None:
        return not text
    if words.sealed is None:
        return words.plain == text
    try:
        return await vault.open(words.sealed, purpose) == text.encode()
    except UNREADABLE:
        return True
