"""Electronic books and subtitles."""

import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

CONTAINER = """<?xml version="1.0"?>
<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container" version="1.0"><rootfiles>
<rootfile full-path="OPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>"""
PACKAGE = """<?xml version="1.0" encoding="utf-8"?>
<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/" version="3.0">
<metadata><dc:title> Moby-Dick </dc:title><dc:language>en</dc:language></metadata>
<manifest><item id="two" href="text/ch%202.xhtml" media-type="application/xhtml+xml"/>
<item id="css" href="a.css" media-type="text/css"/><item id="one" href="one.xhtml" media-type="application/xhtml+xml"/>
</manifest><spine><itemref idref="one"/><itemref idref="css"/><itemref idref="two"/><itemref idref="none"/></spine>
</package>"""
CHAPTER = (
    '<html xmlns="http://www.w3.org/1999/xhtml"><head><title>t</title></head><body><h1>{}</h1><p>{}</p></body></html>'
)
PARTS = {
    "mimetype": "application/epub+zip",
    "META-INF/container.xml": CONTAINER,
    "OPS/book.opf": PACKAGE,
    "OPS/a.css": "p { color: red }",
    "OPS/one.xhtml": CHAPTER.format("Loomings", "Call me Ishmael — some years ago."),
    "OPS/text/ch 2.xhtml": CHAPTER.format("The Carpet-Bag", "I stuffed a shirt or two."),
}


def epub(**changed) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**PARTS, **changed}.items():
            if content is not None:
                archive.writestr(name, content)
    return out.getvalue()


def test_a_book_is_its_chapters_in_the_order_of_reading(reading):
    outcome = reading("a.epub", epub())
    [document] = outcome.documents
    assert (document.id, document.title, document.lang) == ("a.epub", "Moby-Dick", "en")
    assert document.text == ("Loomings\nCall me Ishmael — some years ago.\n\nThe Carpet-Bag\nI stuffed a shirt or two.")
    assert (outcome.bad, outcome.notes) == ([], [])


def test_a_chapter_in_another_encoding(reading):
    page = '<?xml version="1.0" encoding="windows-1251"?>' + CHAPTER.format("Глава", "Привет")
    assert "Глава\nПривет" in reading("a.epub", epub(**{"OPS/one.xhtml": page.encode("cp1251")})).texts[0]


def test_a_chapter_that_cannot_be_read_is_left_out_and_noted(reading):
    for broken in (None, bytes(range(256)) * 8):
        outcome = reading("a.epub", epub(**{"OPS/one.xhtml": broken}))
        assert outcome.texts == ["The Carpet-Bag\nI stuffed a shirt or two."]
        assert "the chapter OPS/one.xhtml cannot be read" in outcome.notes[0]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"META-INF/container.xml": None}, "META-INF/container.xml cannot be read"),
        ({"META-INF/container.xml": "<container/>"}, "the package cannot be read"),
        ({"OPS/book.opf": "<package"}, "OPS/book.opf cannot be read"),
        ({"OPS/book.opf": '<!DOCTYPE p [<!ENTITY a "b">]><p>&a;</p>'}, "OPS/book.opf declares entities"),
        ({"OPS/book.opf": "<package/>"}, "there is no chapter in it that can be read"),
        ({"OPS/a.css": "x" * 100_000}, "unpacks to more than 65536 bytes"),
    ],
)
def test_a_book_without_chapters_is_refused(reading, changed, reason):
    outcome = reading("a.epub", epub(**changed), max_document_bytes=1 << 16)
    assert (outcome.texts, len(outcome.bad)) == ([], 1)
    assert reason in outcome.bad[0]


@given(st.integers(0, len(epub()) - 1), st.binary(min_size=1, max_size=4))
def test_a_damaged_book_is_read_or_told_of(reading_many, at, garbage):
    data = epub()
    outcome = reading_many("a.epub", data[:at] + garbage + data[at + len(garbage) :])
    assert outcome.documents or outcome.bad


SRT = """\ufeff1
00:00:01,000 --> 00:00:04,000 X1:40 X2:600
{\\an8}<i>Vi må dra</i> &amp; før
isen smelter.

2
00:00:05,000 --> 00:00:08,000
42

3
00:00:09,000 --> 00:00:10,000
42
4
00:00:11,000 --> 00:00:12,000
<font color="#fff">Over elva</font>, 3 < 4.
"""
VTT = """WEBVTT - title

STYLE
::cue { color: red }

NOTE nobody says this

intro
00:01.000 --> 00:04.000 align:start
<v Mary>Hello <00:02.000><c.x>there</c>
"""


def test_subtitles_are_what_is_said(reading):
    expected = "Vi må dra & før\nisen smelter.\n42\nOver elva, 3 < 4."
    assert reading("a.srt", SRT.encode()).texts == [expected]
    assert reading("a.srt", SRT.replace("\n", "\r\n").encode("utf-16")).texts == [expected]
    assert reading("a.vtt", VTT.encode()).texts == ["Hello there"]
    assert reading("a.srt", b"1\n\nno times\n").bad == ["a.srt: there is no cue with text in it"]
