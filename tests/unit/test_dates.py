"""Reading days and times as people type them. Ambiguous ones are refused."""

from datetime import date, time

import pytest

from readmodels.admin.base.dates import read_day, read_time

DAY = date(2026, 11, 29)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-29",
        " 2026-11-29 ",
        "2026/11/29",
        "2026.11.29",
        "20261129",
        "29.11.2026",
        "29. 11. 2026",
        "29/11/2026",
        "11/29/2026",
        "29-11-2026",
        "29 Nov 2026",
        "29. November 2026",
        "29-nov-2026",
        "29th November, 2026",
        "Nov 29, 2026",
        "november 29 2026",
        "NOV. 29th, 2026",
    ],
)
def test_read_day_accepts_every_unambiguous_format(text: str) -> None:
    assert read_day(text) == DAY


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("05/06/2026", "is an ambiguous date. Write 2026-05-06 or 2026-06-05."),
        ("5-6-2026", "is an ambiguous date. Write 2026-05-06 or 2026-06-05."),
        ("31/31/2026", "There is no day"),
        ("2026-02-30", "There is no day"),
        ("20261301", "There is no day"),
        ("30.02.2026", "There is no day"),
        ("0001-01-01", "There is no day"),
        ("9999-12-31", "There is no day"),
        ("29.11.26", "Write it like 2026-11-29."),
        ("261129", "Write it like 2026-11-29."),
        ("2026-11", "Write it like 2026-11-29."),
        ("2026-W48", "Write it like 2026-11-29."),
        ("2026-11/29", "Write it like 2026-11-29."),
        ("29 Foo 2026", "Write it like 2026-11-29."),
        ("yesterday", "Write it like 2026-11-29."),
        ("٢٩.١١.٢٠٢٦", "Write it like 2026-11-29."),
        ("2026-11-29\0", "Write it like 2026-11-29."),
        ("x" * 9_000, "xxx…”"),
    ],
)
def test_read_day_refuses_invalid_and_ambiguous_days(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match="day|date") as caught:
        read_day(text)
    assert complaint in str(caught.value)
    assert len(str(caught.value)) < 120


def test_read_day_accepts_equal_day_and_month() -> None:
    assert read_day("6/6/2026") == date(2026, 6, 6)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("09:30", time(9, 30)),
        ("9:30", time(9, 30)),
        ("9.30", time(9, 30)),
        ("9h30", time(9, 30)),
        ("21:30:15", time(21, 30, 15)),
        ("21:30:15.25", time(21, 30, 15)),
        ("9:30 pm", time(21, 30)),
        ("9pm", time(21)),
        ("12am", time(0)),
        ("12:30 PM", time(12, 30)),
        ("09:30 UTC", time(9, 30)),
        ("00:00", time(0)),
    ],
)
def test_read_time_accepts_every_unambiguous_format(text: str, meant: time) -> None:
    assert read_time(text) == meant


@pytest.mark.parametrize(
    "text", ["9", "24:00", "9:60", "13pm", "0am", "noon", "9:3", "-1:00", "٩:٣٠", "\0"]
)
def test_read_time_refuses_invalid_times(text: str) -> None:
    with pytest.raises(ValueError, match=r"Write it like 09:30 or 21:30:00, in UTC\."):
        read_time(text)
