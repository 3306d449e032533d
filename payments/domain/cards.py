"""Cards: brand, last four digits and a fingerprint of the token. Card numbers are never stored."""

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
    """The stored data of a card.

    `fingerprint` is a keyed hash of the client's token, equal for the same token of one client.
    """

    fingerprint: str
    brand: Brand
    last4: str


class PresentedCard(Struct, frozen=True, kw_only=True):
    """A card as the client sends it. The token is only hashed, never stored."""

    token: str
    brand: Brand
    last4: str
