"""What is known of a card: never its number, and of the token that stands for it only a fingerprint."""

from enum import StrEnum

from msgspec import Struct


class Brand(StrEnum):
    VISA = "visa"
    MASTERCARD = "mastercard"
    AMERICAN_EXPRESS = "american_express"
    DISCOVER = "discover"
    DINERS_CLUB = "diners_club"
    JCB = "jcb"
    UNIONPAY = "unionpay"
    MAESTRO = "maestro"
    OTHER = "other"


class Card(Struct, frozen=True, kw_only=True, gc=False):
    """`fingerprint` is a keyed hash of the client's token: the same for the same card of one client."""

    fingerprint: str
    brand: Brand
    last4: str


class PresentedCard(Struct, frozen=True, kw_only=True):
    """A card as its client presents it: the token goes no further than to be hashed."""

    token: str
    brand: Brand
    last4: str
