"""By which words a customer is found in a text, and by which it is not."""

import pytest

from payments.customers import mentions


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("customer-12", "of customer-12, Customer-12."),
        ("Ada Ngwenya", "says ADA\nNGWENYA"),
        ("Ågot Ærlig", "ågot ærlig"),
        ("a.ng@x.example", "<A.NG@x.example>"),
        ("+4915123456789", "call +4915123456789 or"),
        ("+4915123456789", "(+49 (151) 234-567/89)"),
        ("+4915123456789", "+49 (0)151\u00a0234\n567\u201389"),
        ("Jos\u00e9 Nu\u0303nez", "told Jose\u0301 Nu\u0303nez so"),
    ],
)
def test_a_word_is_found_as_people_write_it(word: str, text: str) -> None:
    assert mentions.finder({word, "something else"})(text)


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("customer-12", "customer-123, xcustomer-12, a-customer-12"),
        ("a.ng@x.example", "axng@x.example"),
        ("+4915123456789", "+49151234567890, +49 1512345678"),
        ("Ada Ngwenya", "Ada, Ngwenya"),
    ],
)
def test_a_part_of_a_word_or_another_word_is_not(word: str, text: str) -> None:
    assert not mentions.finder({word})(text)


def test_without_words_nothing_is_found() -> None:
    assert not mentions.finder(())("anything")


@pytest.mark.parametrize(
    ("word", "telling"),
    [("Ada", False), ("Adam", True), ("2026", False), ("10000", False), ("100042", True)],
)
def test_what_is_short_may_mean_anything(word: str, *, telling: bool) -> None:
    assert mentions.is_telling(word) is telling
