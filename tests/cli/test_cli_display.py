"""What a terminal shows: lines that fit, columns that stay where they are, and nothing that is no text in a pipe."""

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from xsearch.cli import hits as shown
from xsearch.cli.display import clean, console, wrapped
from xsearch.core import Explanation, Hit

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
ISOLATED = re.compile("[\u2066\u2067][^\u2066\u2067\u2069]*\u2069")
RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff]")

TEXTS = {
    "fa": ("انتخاب رئیس‌جمهور در ایران", "رئیس‌جمهور ایران هر چهار سال یک بار با رأی مستقیم مردم انتخاب می‌شود. " * 4),
    "zh": ("伊朗总统选举", "伊朗总统由人民直接选举产生，任期四年，可以连选连任一次。" * 8),
    "de": ("Präsidentschaftswahl im Iran (انتخابات)", "Donaudampfschifffahrtselektrizitätenhauptbetriebswerk " * 6),
    "th": ("การเลือกตั้งประธานาธิบดี", "ประธานาธิบดีได้รับเลือกโดยตรงจากประชาชนทุกสี่ปี" * 5),
}


class Terminal(io.StringIO):
    def isatty(self):
        return True


def found(explain=False):
    part = Explanation("bm25", 1, 1.5, 0.5, 0.25, 1.0)
    return [
        Hit(rank, f"dir/{lang}.txt", lang, 0.5, text, title, text, ((0, 6),), 0, len(text), {}, (part,) * explain)
        for rank, (lang, (title, text)) in enumerate(TEXTS.items(), start=1)
    ]


def shows(monkeypatch, stream, columns, explain=False, **environment):
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"COLUMNS": str(columns), "TERM": "xterm-256color", **environment}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(shown, "console", lambda: console(stream))
    shown.show_hits(found(explain), explain)
    return stream.getvalue()


@pytest.mark.parametrize("explain", [False, True])
@pytest.mark.parametrize("columns", [40, 60, 79, 80, 120, 200])
def test_every_line_fits_and_nothing_is_lost(monkeypatch, columns, explain):
    out = ESCAPE.sub("", shows(monkeypatch, Terminal(), columns, explain))
    assert max(map(cell_len, out.splitlines())) <= columns
    letters = re.sub(r"\W", "", out)
    if columns < shown.NARROW:
        for title, text in TEXTS.values():
            assert re.sub(r"\W", "", title + text) in letters or re.sub(r"\W", "", text) in letters
    for title, text in TEXTS.values():
        assert not set(re.sub(r"\W", "", title + text)) - set(letters)


@pytest.mark.parametrize("columns", [60, 120])
def test_writing_from_right_to_left_is_isolated_in_every_line_and_column(monkeypatch, columns):
    out = ESCAPE.sub("", shows(monkeypatch, Terminal(), columns))
    assert any(RIGHT_TO_LEFT.search(line) for line in out.splitlines())
    for line in out.splitlines():
        assert not RIGHT_TO_LEFT.search(ISOLATED.sub("", line)), line
        assert not re.search("[\u2066\u2067\u2069]", ISOLATED.sub("", line)), line
    titled = next(line for line in out.splitlines() if "ایران" in line)
    assert len(ISOLATED.findall(titled)) == (2 if columns == 120 else 1)


def test_columns_begin_where_their_names_stand(monkeypatch):
    lines = shows(monkeypatch, io.StringIO(), 120).splitlines()
    begin = lines[0].index("passage")
    for line in [lines[0], *lines[2:]]:
        # A wide character takes two places, a combining one none.
        places = "".join(char + "\0" * (cell_len(char) - 1) for char in line if cell_len(char))
        assert places[begin - 3 : begin] == "   ", line
        assert places[begin] != "\0"


def test_a_pipe_gets_plain_text(monkeypatch):
    out = shows(monkeypatch, io.StringIO(), 60)
    assert not ESCAPE.search(out)
    assert not re.search("[\u2066-\u2069]", out)
    assert max(map(cell_len, out.splitlines())) == 120


def test_no_color_is_respected(monkeypatch):
    assert "\x1b[1;33m" in shows(monkeypatch, Terminal(), 120)
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", shows(monkeypatch, Terminal(), 120, NO_COLOR="1"))


@given(st.text(max_size=60) | st.sampled_from([text for _, text in TEXTS.values()]), st.integers(4, 50))
def test_any_text_is_wrapped(text, width):
    from rich.text import Text

    out = console(Terminal())
    lines = wrapped(Text(clean(text)), width, out).plain.split("\n")
    assert max(map(cell_len, lines)) <= width
