"""A customer's search words do not depend on case, accents and spelling."""

from typing import Final

import pytest
from hypothesis import given, strategies as st

from payments.customers import words

# Raise words.VERSION and refill the stored words if this changes.
STORED: Final = [
    "e:jose.nunez@example.com",
    "n:connornunez",
    "n:jose",
    "n:nunez",
    "n:oconnornunez",
    "p:98765432194",
]


def of_name(name: str) -> set[str]:
    return {word[2:] for word in words.lexemes(name=name, email="", phone="")}


def test_lexemes_of_this_version_are_unchanged() -> None:
    found = words.lexemes(
        name="José O'CONNOR-Núñez", email="Jose.Nunez@Example.com", phone="+4912345678 9"
    )

    assert (words.VERSION, found) == (1, STORED)


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("Henrik SØRENSEN", "sorensen"),
        ("Elif Yıldız", "yildiz"),
        ("ELİF", "elif"),
        ("Jürgen Groß", "gross"),
        ("Łukasz Żółć", "zolc"),
        ("Þór Æsir", "aesir"),
        ("Ольга Ёлкина", "елкина"),
        ("ΓΙΏΡΓΟΣ", "γιωργοσ"),
        ("ﬁona", "fiona"),
        ("Ｆｕｌｌ", "full"),
        ("مُحَمَّد", "محمد"),
        ("أحمد", "احمد"),
        ("شَـــهد", "شهد"),
        ("علی\u200cرضا", words.fold("عليرضا")),
        ("علی\u200cرضا", words.fold("رضا")),
        ("שָׁלוֹם", "שלום"),
        ("कुमारी देवी", "कुमारी"),
        ("山田太郎", "山田太郎"),
        ("山田太郎", "太郎"),
        ("ヤマダ", words.fold("やまだ")),
        ("ﾔﾏﾀﾞ", words.fold("ヤマダ")),
        ("김민수", "민수"),
        ("สมชาย ใจดี", "ใจดี"),
        ("Jean-Pierre", "jeanpierre"),
        ("Maria (Mia)", "mia"),
        ("Henry 8", "8"),
    ],
)
def test_name_has_the_word(name: str, word: str) -> None:
    assert any(each.startswith(word) for each in of_name(name))


@pytest.mark.parametrize("name", ["", " ", "😀", "--", "\u200d", "…"])
def test_name_without_letters_has_no_words(name: str) -> None:
    assert words.vector(name=name, email="", phone="") is None
    assert words.name_query(name) is None


def test_query_has_a_part_for_each_word_and_joins_split_ones() -> None:
    assert (
        words.name_query("  Mária  O’Connor ")
        == "('n:maria':*) & ('n:o':* & 'n:connor':* | 'n:oconnor':*)"
    )


def test_query_quotes_what_ends_a_word() -> None:
    assert words.email_query("o'neil\\x@") == "'e:o''neil\\\\x@':*"


def test_query_of_very_many_words_is_limited() -> None:
    for text in ("a " * 400, "a-" * 400):
        query = words.name_query(text)

        assert query is not None
        assert query.count(" & ") == words.MOST_WORDS - 1


@given(st.text(max_size=200), st.text(max_size=200))
def test_words_of_any_text_are_short_and_found(name: str, more: str) -> None:
    stored = words.lexemes(name=name, email=more, phone="")
    words.name_query(name + more)

    assert all(len(word.encode(errors="surrogatepass")) < 2_046 for word in stored)
    assert sum(map(len, stored)) < 200_000
