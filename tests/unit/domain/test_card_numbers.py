"""Recognizing card numbers in every notation, and ignoring other numbers."""

import hashlib
from collections.abc import Callable
from datetime import date, time
from random import Random
from typing import Final
from uuid import UUID

import pytest
from hypothesis import example, given, strategies as st

from payments.domain.card_numbers import holds_card_number, is_card_number, token_holds_card_number
from tests.unit.domain import written_numbers
from tests.unit.domain.written_numbers import as_printed, digits, in_fours

SEED: Final = 20261129

# The schemes' published test numbers.
VISA: Final = "4111111111111111"
CARDS: Final = [
    VISA,
    "4000000000000000006",
    "5555555555554444",
    "2223003122003222",
    "2720994326581252",
    "378282246310005",
    "30569309025904",
    "3530111333300000",
    "6011111111111117",
    "6304000000000000",
    "5000550000000029",
    "6200000000000005",
    "2200770239097761",
]


@pytest.mark.parametrize("card", CARDS)
def test_holds_card_number_finds_every_scheme(card: str) -> None:
    assert holds_card_number(card)


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "4111.1111.1111.1111",
        "4111_1111_1111_1111",
        "4111/1111/1111/1111",
        "4111–1111–1111–1111",
        "4111  1111 -1111- 1111",
        "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
        "3782 822463 10005",
        "41111111-11111111",
        "card 4111111111111111, please",
        "card4111111111111111x",
        # Text that appears next to a card number, such as an expiry date.
        "4111111111111111 12/26",
        "4111 1111 1111 1111 123",
        "4111-1111-1111-1111-12-26-123",
        "order 12 4111111111111111",
        "12-4111 1111 1111 1111",
        "1234567890123456789012 4111111111111111",
        "4111,1111,1111,1111",
        "4111:1111:1111:1111",
        "4111*1111*1111*1111",
        "4111|1111|1111|1111",
        "(4111)(1111)(1111)(1111)",
        "4111 - 1111 - 1111 - 1111",
        "4111   1111   1111   1111",
        "4111 -- 1111 -- 1111 -- 1111",
        "[4111][1111][1111][1111]",
        "4111#1111#1111#1111",
        "4111;1111;1111;1111",
        "4111・1111・1111・1111",
        "0004111111111111111",
        # Digits of other scripts count too.
        "٤١١١١١١١١١١١١١١١",
        "４１１１ １１１１ １１１１ １１１１",
        "४१११ 1111 ११११ 1111",
    ],
)
def test_holds_card_number_finds_every_notation(text: str) -> None:
    assert holds_card_number(text)


@given(st.uuids(version=4), st.booleans())
@example(UUID("42424242-4242-4242-a000-000000000000"), True)
@example(UUID("a4111111-1111-1111-1b00-000000000000"), False)
def test_holds_card_number_ignores_uuids(uuid: UUID, plain: bool) -> None:  # noqa: FBT001
    """One random UUID in 1,700 has the digits of a card."""
    assert not holds_card_number(uuid.hex if plain else f"customer {uuid}")


def test_holds_card_number_finds_card_next_to_or_shaped_like_uuid() -> None:
    uuid = "6c1fd1b2-4111-4b1e-9111-1111a1111117"

    assert holds_card_number(f"{uuid} 4111111111111111")
    assert holds_card_number(f"4111111111111111-{uuid}")
    assert holds_card_number("41111111-1111-1111-0000-000000000000")
    assert holds_card_number("00000000-0000-0000-4111-111111111111-a")


def test_holds_card_number_finds_card_across_lines() -> None:
    assert holds_card_number("4111 1111\n1111 1111")
    assert holds_card_number("4111 1111\r\n1111 1111")


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111112",  # the check digit is wrong
        "1111111111111117",  # no scheme begins with 1
        "411111111111",  # too short
        "41111111111111111111",  # too long
        "411111111111111111111111111111111111",
        "+49 30 901820 4711",
        "20261124123045",  # a common form of order numbers
        "20261124-123045-17",
        "2026-11-24 12:30:45.123456",
        "1764072000000",
        "order-981",
        "6546395345958",  # 13 digits: no longer issued by Visa, and hardly by Maestro
        "4222222222222",
        "Called back +49 151 21547280, confirmed.",
        "Refund to DE16 6860 3942 2040 9536 37",
        "Refund to DE16686039422040953637, BIC DEUTDEFF",
        "Refund to DE 42 5064 2570 4159 5628 96",
        "IBANFR76-0006-4737-3322-1236-1132-642",
        "5000; 4000; 3000; 2001",
        "Order 48213: 0160-2723034",
        "+49 151 21547280 12:30",
        "0812-4456-7890 / 0813-4567-8901",
        "06 12 34 56 78 / 06 98 76 54 32",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "5000, 4000, 3000, 2001",  # amounts
        "from 09:15 to 17:30, 20 times",
        "2026-11-24 12:30:45 (+01:00)",
        "6c1fd1b2-4111-4b1e-9111-1111a1111117",
        "no digits at all",
    ],
)
def test_holds_card_number_ignores_other_numbers(text: str) -> None:
    assert not holds_card_number(text)


@given(st.dates(date(1990, 1, 1), date(2199, 12, 31)), st.times(), st.integers(0, 999))
def test_holds_card_number_ignores_order_numbers_with_date(
    day: date, at: time, number: int
) -> None:
    order = f"{day:%Y%m%d}{at:%H%M%S}"
    assert not holds_card_number(order)
    assert not holds_card_number(f"{order}{number:03}")


@given(st.text(max_size=60), st.sampled_from(CARDS), st.text(max_size=60))
def test_holds_card_number_ignores_surrounding_text(before: str, card: str, after: str) -> None:
    touched = before[-1:].isdecimal() or after[:1].isdecimal()
    assert touched or holds_card_number(before + card + after)


def test_holds_card_number_takes_linear_time() -> None:
    assert not holds_card_number("1 " * 10_000)
    assert not holds_card_number("1" * 100_000)
    assert not holds_card_number("0 " * 10_000)
    assert holds_card_number(f"{'0 ' * 10_000}4111111111111111")


@pytest.mark.parametrize(
    "text",
    [
        "+4111111111111111",
        "+4111 1111 1111 1111",
        "+49 4111 1111 1111 1111",
        "+49 151 21547280 4111 1111 1111 1111",
        "4111 1111 1111 1111 +49 151 21547280",
        "0151 4111 1111 1111 1111",
        "01/27 4111 1111 1111 1111",
        "004111111111111111",
        "0 3537 3437 0134 9755",  # could also be two numbers without a separator
        "+49 6297 9140 0536 6894",
        "DE164111111111111111",
        "DE16 4111 1111 1111 1111",
        "IBAN DE16 4111 1111 1111 1111 37",  # fails mod 97
        "GB29 4111 1111 1111 1111 19",
        "2026-11-29 4111 1111 1111 1111 29.11.2026",
    ],
)
def test_holds_card_number_finds_card_next_to_phone_iban_or_date(text: str) -> None:
    assert holds_card_number(text)


@pytest.mark.parametrize(
    ("number", "context"),
    [
        (written_numbers.german_mobile, "Called back {}, confirmed."),
        (written_numbers.austrian_mobile, "Tel. {} (mobile), 2026-11-29"),
        (written_numbers.indonesian_mobile, "{}"),
        (written_numbers.german_mobile, "{} 12:30"),
        (written_numbers.indonesian_mobile, "{} or\n{}"),
        (written_numbers.european_iban, "Refund to {}"),
        (written_numbers.european_iban, "{} / {}"),
    ],
)
def test_holds_card_number_ignores_phones_and_ibans(
    number: Callable[[Random], str],
    context: str,
    long: bool,  # noqa: FBT001
) -> None:
    """At most one in a thousand random numbers is refused."""
    random = Random(SEED)
    count = 30_000 if long else 1_000
    texts = [context.format(number(random), number(random)) for _ in range(count)]
    refused = [text for text in texts if holds_card_number(text)]
    assert len(refused) <= len(texts) / 1_000, refused[:5]


@pytest.mark.parametrize(
    "written",
    [
        lambda card, _: card,
        lambda card, _: f"Please charge {as_printed(card)} for order 12.",
        lambda card, random: as_printed(card, random.choice("-./_")),
        lambda card, random: as_printed(card, random.choice("\u00a0\u202f\u3000\t\n")),
        lambda card, _: in_fours(card.translate({48 + n: 0xFF10 + n for n in range(10)})),
        lambda card, _: in_fours(card.translate({48 + n: 0x0660 + n for n in range(10)})),
        lambda card, random: as_printed(card, random.choice("\u200b\u200d\u2060\ufeff\u00ad")),
        lambda card, random: "".join(
            random.choice((" ", "-", " \u200b", ".", "\u2011")) + part
            for part in as_printed(card).split()
        ),
        lambda card, random: random.choice(("card:", "card ", "PAN=", "+", "no.")) + card,
        lambda card, _: f"{as_printed(card)} 12/27 123",
        lambda card, random: f"{written_numbers.german_mobile(random)}, {as_printed(card)}",
    ],
)
def test_holds_card_number_finds_random_cards_in_text(
    written: Callable[[str, Random], str],
) -> None:
    """At most one of 1,000 random cards is missed."""
    random = Random(SEED)
    texts = [written(written_numbers.card(random), random) for _ in range(1_000)]
    passed = [text for text in texts if not holds_card_number(text)]
    assert len(passed) <= len(texts) / 1_000, passed[:5]


@pytest.mark.parametrize(
    ("identifier", "most"),
    [
        (lambda random: str(random.randrange(10**16, 2**63)), 0),  # snowflake ids
        (lambda random: hashlib.sha256(random.randbytes(8)).hexdigest(), 0),
        (lambda random: str(UUID(int=random.getrandbits(128), version=4)), 0),
        (lambda random: f"order{digits(random, 16)}", 0),
        (lambda random: f"order-{random.randrange(10**15, 10**16)}", 1 / 34),
        (lambda random: f"order-20261129{digits(random, 8)}", 0),
        (lambda random: random.choice("46") + digits(random, 12), 0),
        (lambda random: digits(random, 14), 0),
        (lambda random: digits(random, 15), 1 / 400),
        (lambda random: str(random.randrange(10**15, 10**16)), 1 / 38),
    ],
)
def test_is_card_number_rarely_refuses_shop_ids(
    identifier: Callable[[Random], str], most: float
) -> None:
    random = Random(SEED)
    ids = [identifier(random) for _ in range(10_000)]
    assert sum(map(is_card_number, ids)) <= most * len(ids)


@pytest.mark.parametrize(
    "identifier",
    [
        "4111111111111111",
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "#4111111111111111",
        "card 4111111111111111",
        "card:4111-1111-1111-1111",
        "5555555555554444 (visa)",
        "card-4111111111111111",
        "4111111111111111_2",
        "2026/5555555555554444/1",
        "card-4111-1111-1111-1111",
        "pan_3782_822463_10005",
        "order-٤١١١١١١١١١١١١١١١",
        "5555555555554444",
        "378282246310005",
        "3530111333300000",
        "6011111111111117",
        "6200000000000005",
        "٤١١١١١١١١١١١١١١١",
        "４１１１ １１１１ １１１１ １１１１",
    ],
)
def test_is_card_number_finds_card_in_identifier(identifier: str) -> None:
    assert is_card_number(identifier)


@pytest.mark.parametrize(
    "identifier",
    [
        "x4111111111111111",
        "4111111111111111x",
        "4111-1111-1111-1111-2",
        "12-4111-1111-1111-1111",
        "4111-1111-1111-1111a",
    ],
)
def test_is_card_number_accepts_other_identifiers(identifier: str) -> None:
    assert not is_card_number(identifier)


def test_holds_card_number_is_fast_with_many_phones() -> None:
    random = Random(SEED)
    text = " ".join(written_numbers.indonesian_mobile(random) for _ in range(5_000))
    assert holds_card_number(f"{text} 4111111111111111")


@pytest.mark.parametrize(
    "token", ["tok_4111111111111111", "4111-1111-1111-1111", "x378282246310005x"]
)
def test_token_holds_card_number_finds_card(token: str) -> None:
    assert token_holds_card_number(token)


@pytest.mark.parametrize("token", ["tok_1PqZ8k", "tok_4111111111111112", "1866213418742784004"])
def test_token_holds_card_number_accepts_other_tokens(token: str) -> None:
    assert not token_holds_card_number(token)
