"""PDF and Word documents, and what becomes of them without the extra."""

import io
import sys
import zipfile

import pytest

from xsearch.core import MissingExtra
from xsearch.corpora import ReadOptions, read, scan


def pdf(pages: list[str], title: str | None = None) -> bytes:
    """A PDF written by hand: a page an item of text in Helvetica."""
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R /Lang (de-DE) >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for n, text in enumerate(pages):
        content = f"BT /F1 12 Tf 72 700 Td ({text}) Tj ET" if text else ""
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents {5 + 2 * n} 0 R"
            " /Resources << /Font << /F1 3 0 R >> >> >>"
        )
        objects.append(f"<< /Length {len(content)} >>\nstream\n{content}\nendstream")
    if title is not None:
        objects.append(f"<< /Title ({title}) >>")
    out, offsets = "%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n"
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n"
    out += "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    info = f" /Info {len(objects)} 0 R" if title is not None else ""
    out += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R{info} >>\nstartxref\n{start}\n%%EOF\n"
    return out.encode("latin-1")


def test_the_pages_of_a_pdf_are_one_document(reading):
    pytest.importorskip("pypdf")
    outcome = reading("a.pdf", pdf(["First page", "Second page"], title="A title"))
    [document] = outcome.documents
    assert (document.id, document.text) == ("a.pdf", "First page\n\nSecond page")
    assert (document.title, document.lang) == ("A title", "de-DE")
    assert not outcome.bad


def test_an_encrypted_pdf_is_refused_and_one_with_an_empty_password_read(reading):
    pypdf = pytest.importorskip("pypdf")
    for password, expected in (("secret", []), ("", ["Open text"])):
        writer = pypdf.PdfWriter(clone_from=io.BytesIO(pdf(["Open text"])))
        writer.encrypt(password, "owner", algorithm="RC4-128")
        out = io.BytesIO()
        writer.write(out)
        outcome = reading("a.pdf", out.getvalue())
        assert outcome.texts == expected
        refusal = ["a.pdf: the PDF is encrypted: save a copy without a password"]
        assert outcome.bad == ([] if expected else refusal)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"%PDF-1.4\nnonsense", "damaged PDF"),
        (b"not a pdf at all", "damaged PDF"),
        (pdf(["", ""]), "no text in the PDF's pages"),
        (pdf(["x"])[:200], "damaged PDF"),
    ],
)
def test_a_pdf_without_text_or_sense_is_reported(reading, data, reason):
    pytest.importorskip("pypdf")
    outcome = reading("a.pdf", data)
    assert outcome.documents == []
    assert outcome.bad[0].startswith(f"a.pdf: {reason}")


def word(title: str = "") -> bytes:
    docx = pytest.importorskip("docx")
    document = docx.Document()
    document.core_properties.title = title
    document.add_heading("Überschrift", level=1)
    document.add_paragraph("Before the table.")
    table = document.add_table(rows=2, cols=2)
    for n, cell in enumerate(cell for row in table.rows for cell in row.cells):
        cell.text = f"cell {n}"
    table.cell(0, 0).merge(table.cell(0, 1))
    document.add_paragraph("After the table.")
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def test_paragraphs_and_tables_come_in_their_order(reading):
    [document] = reading("a.docx", word()).documents
    assert document.title == "Überschrift"
    assert document.text.split("\n") == [
        "Überschrift",
        "Before the table.",
        "cell 0",
        "cell 1",
        "cell 2",
        "cell 3",
        "After the table.",
    ]
    assert reading("b.docx", word("From the properties")).documents[0].title == "From the properties"


def test_a_zip_bomb_is_refused_unopened(reading):
    pytest.importorskip("docx")
    out = io.BytesIO(word())
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/media/image.bmp", b"\0" * 3_000_000)
    outcome = reading("a.docx", out.getvalue(), max_document_bytes=1 << 20)
    assert outcome.bad == ["a.docx: unpacks to more than 1 MiB, the limit for one document (max_document_bytes)"]


@pytest.mark.parametrize("data", [b"PK\x03\x04junk", b"plain", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" * 9])
def test_what_is_no_docx_is_reported(reading, data):
    pytest.importorskip("docx")
    outcome = reading("a.docx", data)
    assert len(outcome.bad) == 1
    assert "damaged .docx" in outcome.bad[0] or "encrypted" in outcome.bad[0]


def test_a_zip_that_is_no_document_is_reported(reading):
    pytest.importorskip("docx")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.txt", "x")
    assert reading("a.docx", out.getvalue()).bad[0].startswith("a.docx: damaged .docx")


def test_without_the_extra_a_folder_goes_on_and_a_named_file_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "a.pdf").write_bytes(pdf(["x"]))
    (tmp_path / "b.txt").write_text("text")
    monkeypatch.setitem(sys.modules, "pypdf", None)
    monkeypatch.setattr("xsearch.corpora.formats.choice.have", lambda module: module != "pypdf")
    skipped = []
    found = [s.name for s in scan([tmp_path], lambda path, reason: skipped.append((path.name, reason)))]
    assert found == ["b.txt"]
    assert skipped == [("a.pdf", "needs the package 'pypdf': pip install 'xsearch-clir[ingest]'")]
    [source] = scan([tmp_path / "a.pdf"], pytest.fail)
    with pytest.raises(MissingExtra, match=r"reading PDF needs the package 'pypdf'"):
        list(read(source, ReadOptions()))
