"""Messages and mailboxes, written by the standard library's own writers, and as bytes that no writer would make."""

import mailbox
from email.message import EmailMessage

from hypothesis import given
from hypothesis import strategies as st


def message(subject="Æblekage på lørdag", text="Husk at købe æbler.\n", **headers) -> EmailMessage:
    made = EmailMessage()
    made["From"] = "Åse <aase@example.org>"
    made["To"] = "bob@example.org"
    made["Subject"] = subject
    made["Date"] = "Mon, 01 Jan 2024 10:00:00 +0100"
    for name, value in headers.items():
        made[name.replace("_", "-")] = value
    made.set_content(text)
    return made


def test_a_message_is_a_document_with_its_subject_as_title(reading):
    made = message(Message_ID="<x@example.org>")
    made.add_attachment(b"%PDF secret", maintype="application", subtype="pdf", filename="a.pdf")
    made.add_attachment("attached words", filename="notes.txt")
    [document] = reading("a.eml", made.as_bytes()).documents
    assert (document.id, document.title) == ("a.eml", "Æblekage på lørdag")
    assert document.text.strip() == "Husk at købe æbler."
    told = {name: document.metadata[name] for name in ("from", "to", "date")}
    assert told == {"from": "Åse <aase@example.org>", "to": "bob@example.org", "date": "2024-01-01T10:00:00+01:00"}


def test_plain_text_is_preferred_and_html_read_where_there_is_no_other(reading):
    both = message()
    both.add_alternative("<p>in <b>HTML</b></p>", subtype="html")
    assert reading("a.eml", both.as_bytes()).texts[0].strip() == "Husk at købe æbler."
    only = EmailMessage()
    only["Subject"] = "HTML"
    only.set_content("<html><style>p {}</style><p>Kære Bo</p><p>vi ses</p></html>", subtype="html")
    assert reading("a.eml", only.as_bytes()).texts == ["Kære Bo\nvi ses"]


def test_headers_and_bodies_beyond_ascii_without_a_word_on_it(reading):
    raw = "Subject: Grüße aus Köln\r\nTo: x\r\n\r\nSchöne Grüße von der Straße über dem Fluss.\r\n"
    for codec in ("utf-8", "latin-1"):
        [document] = reading("a.eml", raw.encode(codec)).documents
        assert document.text == "Schöne Grüße von der Straße über dem Fluss.\n"
        assert document.title == ("Grüße aus Köln" if codec == "utf-8" else "Gr��e aus K�ln")
    declared = b"Subject: =?koi8-r?B?8NLJ18XU?=\nContent-Type: text/plain; charset=koi8-r\n\n" + "Привет, мир".encode(
        "koi8-r"
    )
    [document] = reading("a.eml", declared).documents
    assert (document.title, document.text) == ("Привет", "Привет, мир")


def test_a_mailbox_holds_a_document_a_message(reading, tmp_path):
    texts = ["First words.\n", "Quoted:\n\nFrom here on it is quoted, too.\n>From there as well.\n", "Third.\n"]
    box = mailbox.mbox(tmp_path / "written")
    for number, text in enumerate(texts):
        box.add(message(f"No. {number}", text, **({"Message_ID": f"<{number}@example.org>"} if number else {})))
    box.close()
    outcome = reading("a.mbox", (tmp_path / "written").read_bytes())
    assert outcome.ids == ["a.mbox:1", "1@example.org", "2@example.org"]
    # The library's writer quotes "From " alone, as mboxo does.
    assert [text.strip() for text in outcome.texts] == [
        "First words.",
        "Quoted:\n\nFrom here on it is quoted, too.\nFrom there as well.",
        "Third.",
    ]
    assert [document.title for document in outcome.documents] == ["No. 0", "No. 1", "No. 2"]


def test_what_is_no_message_is_a_bad_record(reading):
    assert reading("a.mbox", b"Hello\n").bad == ['a.mbox: no mailbox: it does not begin with a line "From …"']
    long = b"From a\nSubject: a\n\n" + b"word \n" * 400 + b"\nFrom b\nSubject: b\n\nshort\n"
    outcome = reading("a.mbox", long, max_document_bytes=1000)
    assert (outcome.texts, outcome.bad) == (["short\n"], ["a.mbox:1: longer than 1000 bytes (max_document_bytes)"])
    empty = reading("a.mbox", b"From a\nX: y\n\n\nFrom b\nSubject: b\n\n")
    assert ([d.title for d in empty.documents], empty.bad) == (["b"], ["a.mbox:1: document 'a.mbox:1' has no text"])
    assert reading("a.eml", b"X: y\n\n").bad == ["a.eml: there is no text in it"]


LINE = st.one_of(
    st.sampled_from(
        [
            b"From x",
            b"",
            b"Subject: =?utf-8?B?w4Y=?= =?x-none?Q?=FF?= \xff",
            b"Subject: =?utf-8?B?====?=",
            b"Content-Type: multipart/mixed; boundary=b",
            b"Content-Type: text/html; charset=utf-16",
            b"Content-Type: text/plain; charset*=x''%FF",
            b"Content-Transfer-Encoding: base64",
            b"Content-Transfer-Encoding: x-uuencode",
            b"Content-Disposition: attachment; filename*0*=",
            b"Message-ID: <\x01 a b\x7f>",
            b"Date: Mon, 99 Foo 99999999999999999999 99:99 +9999999",
            b"--b",
            b"--b--",
        ]
    ),
    st.binary(max_size=12),
)


@given(st.lists(LINE, max_size=14), st.sampled_from(["a.eml", "a.mbox"]))
def test_any_lines_are_read_or_told_of(reading_many, lines, name):
    outcome = reading_many(name, b"\n".join([*([b"From x"] if name == "a.mbox" else []), *lines]))
    assert outcome.documents or outcome.bad
    for document in outcome.documents:
        (document.text + (document.title or "") + str(document.metadata)).encode()
