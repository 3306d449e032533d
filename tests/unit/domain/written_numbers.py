"""Random telephone numbers, IBANs and card numbers, as people write them."""

import string
from random import Random
from typing import Final


def digits(random: Random, count: int) -> str:
    return "".join(random.choices(string.digits, k=count))


def grouped(text: str, *sizes: int, by: str = " ") -> str:
    """Return the digits in groups of these sizes. The last group takes the rest."""
    groups = []
    for size in sizes:
        groups.append(text[:size])
        text = text[size:]
    return by.join(filter(None, [*groups, text]))


def in_fours(text: str, by: str = " ") -> str:
    return grouped(text, *[4] * (len(text) // 4), by=by)


def german_mobile(random: Random) -> str:
    prefix = random.choice(
        [
            "151",
            "152",
            "157",
            "160",
            "162",
            "163",
            "170",
            "171",
            "172",
            "173",
            "174",
            "175",
            "176",
            "177",
            "178",
            "179",
        ]
    )
    number = digits(random, 8 if prefix.startswith("15") else random.choice((7, 8)))
    number = random.choice(
        (number, grouped(number, 4), grouped(number, 2, 2, 2), grouped(number, 3))
    )
    return random.choice(
        (
            f"+49 {prefix} {number}",
            f"+49{prefix}{number}".replace(" ", ""),
            f"+49 (0){prefix} {number}",
            f"0049 {prefix} {number}",
            f"0{prefix} {number}",
            f"0{prefix}/{number}",
            f"(0{prefix}) {number}",
        )
    )


def austrian_mobile(random: Random) -> str:
    prefix = random.choice(["650", "660", "664", "676", "680", "681", "688", "699"])
    number = digits(random, random.choice((7, 8)))
    number = random.choice((number, grouped(number, 3), grouped(number, 3, 2), grouped(number, 4)))
    return random.choice(
        (f"+43 {prefix} {number}", f"+43{prefix}{number}".replace(" ", ""), f"0{prefix} {number}")
    )


def indonesian_mobile(random: Random) -> str:
    number = f"8{random.choice('1235789')}{digits(random, random.choice((7, 8, 9, 10)))}"
    by = random.choice("- .")
    return random.choice(
        (
            f"0{grouped(number, 3, 4, by=by)}",
            f"0{number}",
            f"+62 {grouped(number, 3, 4, by=by)}",
            f"+62{number}",
        )
    )


def _iban(country: str, account: str) -> str:
    remainder = int("".join(str(int(each, 36)) for each in f"{account}{country}00")) % 97
    return f"{country}{98 - remainder:02}{account}"


def european_iban(random: Random) -> str:
    bank = "".join(random.choices(string.ascii_uppercase, k=4))
    iban = random.choice(
        (
            _iban("DE", digits(random, 18)),
            _iban("FR", digits(random, 23)),
            _iban("FR", f"{digits(random, 10)}{digits(random, 7)}{bank}{digits(random, 2)}"),
            _iban("GB", bank + digits(random, 14)),
        )
    )
    return random.choice((iban, in_fours(iban)))


def with_check_digit(number: str) -> str:
    """Return the number with its Luhn check digit appended."""
    total = sum(
        sum(divmod(int(digit) * (2 - place % 2), 10))
        for place, digit in enumerate(reversed(number))
    )
    return f"{number}{-total % 10}"


_SCHEMES: Final = (
    (("4",), (16,)),  # Visa
    (("51", "52", "53", "54", "55", "2221", "2345", "2720"), (16,)),  # Mastercard
    (("34", "37"), (15,)),  # American Express
    (("6011", "644", "649", "65"), (16,)),  # Discover
    (("3528", "3555", "3589"), (16,)),  # JCB
    (("300", "305", "36", "38", "39"), (14,)),  # Diners Club
    (("62",), (16, 17, 18, 19)),  # UnionPay
)


def card(random: Random) -> str:
    prefixes, lengths = random.choice(_SCHEMES)
    prefix, length = random.choice(prefixes), random.choice(lengths)
    return with_check_digit(prefix + digits(random, length - len(prefix) - 1))


def as_printed(card: str, by: str = " ") -> str:
    return grouped(card, 4, 6, by=by) if len(card) in {14, 15} else in_fours(card, by)
