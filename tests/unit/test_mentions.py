"""Finding mentions of a customer in a text."""

import pytest

from payments.customers import mentions


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("customer-12", "of customer-12, Customer-12."),
        ("customer-12", "customer-12—she called"),
        ("customer_12", "see customer_12.pdf"),
        ("Ada Ngwenya", "says ADA\nNGWENYA"),
        ("Ågot Ærlig", "ågot ærlig"),
        ("a.ng@x.example", "<A.NG@x.example>"),
        ("+4915123456789", "call +4915123456789 or"),
        ("+4915123456789", "(+49 (151) 234-567/89)"),
        ("+4915123456789", "+49 (0)151\u00a0234\n567\u201389"),
        ("+4915123456789", "on 0151 23456789, 0049 151 23456789"),
        ("+4915123456789", "wa.me/4915123456789"),
        ("+14155550123", "(415) 555-0123, 1-415-555-0123, 415.555.0123, 011 1 415 555 0123"),
        ("+4930901820", "030 901820, +49 (0)30 901820, (030) 90 18 20"),
        ("+431588580", "01 58858-0, +43 (0)1 588580, 0043 1 588580"),
        ("+436641234567", "0664/1234567, +43 664 123 45 67"),
        ("+6281234567890", "0812-3456-7890, +62 812 3456 7890, 62 0812 3456 7890"),
        ("+442079460958", "020 7946 0958, (020) 7946-0958, +44 (0) 20 7946 0958"),
        ("+3612345678", "06 1 234 5678"),
        ("Jos\u00e9 Nu\u0303nez", "told Jose\u0301 Nu\u0303nez so"),
        # Scripts without spaces, and particles that are attached.
        ("佐々木健太郎", "佐々木健太郎様に電話で確認済み。"),
        ("佐々木\u3000健太郎", "担当は佐々木健太郎さん"),
        ("佐々木健太郎", "佐々木 健太郎"),
        ("メアリー・オハラ", "本日ﾒｱﾘｰ･ｵﾊﾗ様より"),
        ("欧阳小明", "已致电欧阳小明确认"),
        ("欧阳小明", "Called欧阳小明today"),
        ("김민수진", "김민수진님과 통화함"),
        ("สมชาย ใจดี", "โทรหาคุณสมชายใจดีแล้ว"),
        ("ສົມພອນ", "ໂທຫາສົມພອນແລ້ວ"),
        ("សុខា", "បានទូរស័ព្ទទៅសុខាហើយ"),
        ("အောင်ဆန်း", "ဦးအောင်ဆန်းနှင့်"),
        ("བསྟན་འཛིན", "སྐུ་བསྟན་འཛིནལགས"),
        ("محمد علي", "اتصلت ومحمد علي وافق"),
        ("محمد علي", "رسالة لمحمّد علي"),
        ("דוד לוי", "התקשרתי ודוד לוי אישר"),
        ("דוד לוי", "שולם לדָוִד לוי"),
        # The same spelling with other characters.
        ("Mary O'Hara", "Mary O’Hara, Mary Oʼhara"),
        ("Mary O’Hara", "MARY O'HARA"),
        ("Mary O'Hara", "Mary O´Hara"),
        ("Anne-Marie", "with Anne‑Marie"),
        ("Anne-Marie", "with Anne–Marie"),
        ("Jürgen Groß", "JÜRGEN GROSS"),
        ("Jürgen GROẞ", "jürgen groß"),
        ("Işıl Ilgın", "IŞIL ILGIN"),
        ("İpek Demir", "ipek demir, İPEK DEMİR"),
        ("Ada Ngwenya", "Ａｄａ　Ｎｇｗｅｎｙａ"),
        ("Ada Ngwenya", "Ada\u00a0Ngw\u00aden\u200bya"),
        ("Tom Porter", "see Tom_Porter.pdf, tom-porter.jpg"),
        ("علی‌رضا رضایی", "با علیرضا رضایی"),
        ("Γιώργος", "ΓΙΏΡΓΟΣ"),
        ("Αχιλλέας Σίσυφος", "ΑΧΙΛΛΕΑΣ ΣΙΣΥΦΟΣ"),
        ("علی‌رضا رضایی", "با علي‌رضا رضايي"),
        ("أحمد الكريم", "احمد الکریم"),
        ("Jean-Luc Picard", "Jean Luc Picard, Jean - Luc Picard"),
        ("Tom Porter", "files/Tom+Porter, Tom/Porter"),
        ("+4915123456789", "+49·151·2345·6789"),
        # Words that end at other characters than spaces.
        ("Marie Curie", "Kundin:Marie Curie/Paris, Marie Curie's, Marie Curie—she"),
        ("Tom Porter", "Tom Porter-Smith"),
    ],
)
def test_finder_matches_usual_spellings(word: str, text: str) -> None:
    find = mentions.finder({word, "something else"})
    assert all(map(find, text.split(", ")))


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("customer-12", "customer-123, xcustomer-12, a-customer-12, customer-12-7"),
        ("a.ng@x.example", "axng@x.example"),
        ("+4915123456789", "+49151234567890, +49 1512345678, 20151234567891"),
        ("+14155550123", "415 555 01234, 9415 555 0123, +1 415 555 0124"),
        ("+6281234567890", "0812-3456-789, +62 813 3456 7890"),
        ("Ada Ngwenya", "Ada, Ngwenya, Adam Ngwenya, Ada Ngwenyas"),
        ("Tomas", "Tomasz, Автомаs"),
        ("محمد علي", "محمد عليان"),
        ("José", "Jose"),
    ],
)
def test_finder_ignores_partial_and_other_words(word: str, text: str) -> None:
    assert not any(map(mentions.finder({word}), text.split(", ")))


@pytest.mark.parametrize("word", ["・・・・", " ・ ・ ", "\u200b\u200b\u200b\u200b"])
def test_finder_ignores_identifiers_of_separators_only(word: str) -> None:
    assert not mentions.is_distinctive(word)
    assert not mentions.finder({word})("anything")


def test_finder_without_identifiers_matches_nothing() -> None:
    assert not mentions.finder(())("anything")
    assert not mentions.finder({" ", "\u200b"})("any thing")


@pytest.mark.parametrize(
    ("word", "distinctive"),
    [
        ("Ada", False),
        ("Adam", True),
        ("2026", False),
        ("10000", False),
        ("100042", True),
        ("王伟", True),
        ("王", False),
        ("김민수", True),
    ],
)
def test_short_identifiers_are_not_distinctive(word: str, *, distinctive: bool) -> None:
    assert mentions.is_distinctive(word) is distinctive
