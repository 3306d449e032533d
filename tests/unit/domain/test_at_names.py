"""The names that a note mentions."""

import pytest

from payments.domain.at_names import MOST, at_names, folded


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("@rita", ("rita",)),
        ("Ask @rita, (@ben) or @ann-marie.", ("rita", "ben", "ann-marie")),
        ("@rita: again @rita", ("rita",)),
        ("@rita's turn", ("rita",)),
        ("@rita...", ("rita",)),
        ("@Zoë\n@李", ("Zoë", "李")),
        ("@rita@example.com", ("rita@example.com",)),
        ("rita@example.com", ()),
        ("first.last+tag@example.com", ()),
        ("https://social.example/@rita", ()),
        ("@@rita", ()),
        ("@", ()),
        ("@ rita", ()),
        ("a @. b", ()),
    ],
)
def test_at_names_finds_names_but_no_addresses(text: str, names: tuple[str, ...]) -> None:
    assert at_names(text) == names


def test_at_names_finds_a_limited_number() -> None:
    assert len(at_names(" ".join(f"@n{number}" for number in range(100)))) == MOST


def test_at_names_takes_no_time_for_hostile_text() -> None:
    """In the pattern, two adjacent repetitions of the same characters would take quadratic time."""
    assert at_names("@" + "a." * 1_000) == ("a." * 999 + "a",)


def test_folded_ignores_case_and_width() -> None:
    assert folded("RITA") == folded("rita") == folded("ｒｉｔａ")
