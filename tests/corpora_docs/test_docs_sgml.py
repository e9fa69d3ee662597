"""TREC and CLEF SGML in the shapes of its sources."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

FT = """<DOC>
<DOCNO>FT911-3</DOCNO>
<PROFILE>_AN-BEOA7AAIFT</PROFILE>
<DATE>910514
</DATE>
<HEADLINE>
FT  14 MAY 91 / International Company News: Contigas plans &amp; hopes
</HEADLINE>
<TEXT>
CONTIGAS, the German gas group 81&hyph;per cent owned, said
yesterday that it intends to invest.
</TEXT>
</DOC>
"""

LA = """<DOC>
<DOCNO> LA010189-0001 </DOCNO>
<DOCID> 1 </DOCID>
<DATE>
<P>
January 1, 1989, Sunday
</P>
</DATE>
<HEADLINE>
<P>
NEW FALLOUT
</P>
</HEADLINE>
<BYLINE>
<P>
By A. WRITER
</P>
</BYLINE>
<TEXT>
<P>
First paragraph.
</P>
<P>
Second < third.
</P>
</TEXT>
</DOC>
"""

SDA = """<DOC>
<DOCNO>SDA.940101.0001</DOCNO>
<DOCID>SDA.940101.0001</DOCID>
<TI>Zürich: Titel</TI>
<LD>Der Anfang.</LD>
<TX>Der Text.</TX>
<KW>Stichwort</KW>
</DOC>
"""

NRC = """<DOC>
<DOCNO>NH19940103-0001</DOCNO>
<BODYY>
<TI><P>De titel</P></TI>
<LE><P>De lead</P></LE>
<TE><P>De tekst</P></TE>
<OS>Slot</OS>
</BODYY>
</DOC>
"""

SPIEGEL = "<DOC><DOCID>SPIEGEL.94-1</DOCID><TITLE>Ein Titel</TITLE><LEAD>Vorspann</LEAD><TEXT>Inhalt</TEXT></DOC>"
GIGAWORD = '<DOC id="AFP_ENG_1994" type="story">\n<HEADLINE>H</HEADLINE>\n<TEXT>\n<P>\nText\n</P>\n</TEXT>\n</DOC>'


@pytest.mark.parametrize(
    ("sample", "identifier", "title", "text"),
    [
        (
            FT,
            "FT911-3",
            "FT 14 MAY 91 / International Company News: Contigas plans & hopes",
            "CONTIGAS, the German gas group 81-per cent owned, said\nyesterday that it intends to invest.",
        ),
        (LA, "LA010189-0001", "NEW FALLOUT", "First paragraph.\n\nSecond < third."),
        (SDA, "SDA.940101.0001", "Zürich: Titel", "Der Anfang.\nDer Text.\nStichwort"),
        (NRC, "NH19940103-0001", "De titel", "De lead\n\nDe tekst\n\nSlot"),
        (SPIEGEL, "SPIEGEL.94-1", "Ein Titel", "Vorspann\nInhalt"),
        (GIGAWORD, "AFP_ENG_1994", "H", "Text"),
        ("<doc><docno>1</docno>\nonly loose text\n</doc>", "1", None, "only loose text"),
    ],
)
def test_the_shapes_of_the_sources(reading, sample, identifier, title, text):
    [document] = reading("f.sgml", sample.encode()).documents
    assert (document.id, document.title) == (identifier, title)
    assert [line for line in document.text.split("\n") if line] == [line for line in text.split("\n") if line]


def test_the_la_times_number_and_date_are_metadata(reading):
    [document] = reading("la010189", LA.encode()).documents
    assert {k: document.metadata[k] for k in ("docid", "date", "byline")} == {
        "docid": "1",
        "date": "January 1, 1989, Sunday",
        "byline": "By A. WRITER",
    }


def test_many_documents_a_file_and_a_line_and_a_legacy_encoding(reading):
    data = (FT + SPIEGEL + SPIEGEL.replace("94-1", "94-2") + SDA).encode("latin-1")
    outcome = reading("mixed.sgml", data)
    assert outcome.ids == ["FT911-3", "SPIEGEL.94-1", "SPIEGEL.94-2", "SDA.940101.0001"]
    assert outcome.documents[-1].title == "Zürich: Titel"
    assert outcome.notes == ["mixed.sgml: read as windows-1252"]


def test_elements_without_end_or_too_large_cost_only_themselves(reading):
    big = "<DOC>\n<DOCNO>big</DOCNO>\n" + "word word\n" * 200 + "</DOC>\n"
    data = "<DOC>\n<DOCNO>a</DOCNO>\n<TEXT>x\n" + SPIEGEL + "\n" + big + NRC + "<DOC><DOCNO>z</DOCNO>"
    outcome = reading("f.sgml", data.encode(), max_document_bytes=1000)
    assert outcome.ids == ["SPIEGEL.94-1", "NH19940103-0001"]
    assert outcome.bad == [
        "f.sgml:1: a <DOC> that begins here has no </DOC>",
        "f.sgml:5: the <DOC> is larger than 1000 bytes (max_document_bytes)",
        "f.sgml:217: a <DOC> that begins here has no </DOC>",
    ]


def test_a_document_without_id_is_reported_and_a_file_without_documents_refused(reading):
    outcome = reading("f.sgml", (SPIEGEL + "\n<DOC><TEXT>x</TEXT></DOC>").encode())
    assert outcome.ids == ["SPIEGEL.94-1"]
    assert outcome.bad[0].startswith("f.sgml:2: no id")
    assert reading("pom.xml", b"<project/>").bad == ["pom.xml: there is no <DOC> element in it"]


@given(
    st.lists(
        st.sampled_from(["<DOC>", "</DOC>", "<DOCNO>", "</DOCNO>", "<TEXT>", "</TEXT>", "a", "\n", "<", ">", "&x;"])
    )
)
def test_any_order_of_tags_gives_documents_or_reports(reading_many, parts):
    outcome = reading_many("f.sgml", ("".join(parts) + "\n").encode())
    assert outcome.documents or outcome.bad
