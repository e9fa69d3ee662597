"""HTML and Markdown: the text a reader sees, title and language."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

PAGE = """<!doctype html>
<html lang="fa">
<head><title>Title &amp;
  more</title><style>p {}</style><script>alert("x")</script></head>
<body>
<nav><a href="/">Home</a></nav>
<header><h1>Heading</h1></header>
<p>One <b>bold</b>word,<br>next   line &lt;tag&gt; &eacute;&#128512;.</p>
<ul><li>first<li>second</ul>
<table><tr><td>a</td><td>b</td></tr></table>
<pre>  kept
    as is</pre>
<!-- comment --><noscript>enable</noscript><svg><text>drawn</text></svg>
<footer>imprint</footer>
</body></html>"""


def test_a_page_gives_its_readable_text_title_and_language(reading):
    outcome = reading("p.html", PAGE.encode())
    [document] = outcome.documents
    assert document.id == "p.html"
    assert (document.title, document.lang) == ("Title & more", "fa")
    assert document.text.split("\n") == [
        "Heading",
        "One boldword,",
        "next line <tag> é😀.",
        "first",
        "second",
        "a",
        "b",
        "kept",
        "as is",
    ]
    assert not outcome.bad


def test_the_main_element_is_the_text_where_there_is_one(reading):
    page = "<body><div>menu</div><main><h1>T</h1><p>text</p></main><div>links</div></body>"
    [document] = reading("p.htm", page.encode()).documents
    assert (document.title, document.lang, document.text) == ("T", None, "T\ntext")


def test_a_page_in_the_encoding_it_declares(reading):
    page = '<html><head><meta charset="windows-1250"></head><body>Dvořák</body></html>'
    outcome = reading("p.html", page.encode("cp1250"))
    assert (outcome.texts, outcome.notes) == (["Dvořák"], ["p.html: read as windows-1250"])


@pytest.mark.parametrize("page", ["<script>x</script>", "<html></html>", "<!-- -->", "   "])
def test_a_page_without_text_is_reported(reading, page):
    assert reading("p.html", page.encode()).bad == ["p.html: there is no text in it"]


@pytest.mark.parametrize("nested", ["<div>" * 6000, "<div></b>" * 6000, "<div>" * 6000 + "</div>" * 6000])
def test_a_page_nested_too_deeply_is_refused_before_it_is_parsed(reading, nested):
    assert reading("p.html", nested.encode()).bad == ["p.html: HTML elements are nested deeper than 5000"]


def test_a_long_flat_page_is_not_deep(reading):
    page = "<p>a<br>b<li>c<div><i>d</i></div>" * 3000
    assert reading("p.html", page.encode()).texts[0].count("d") == 3000


WORD = st.text("abcdefé字&<>", min_size=1, max_size=6)


@given(st.lists(st.tuples(st.sampled_from(["p", "div", "li", "td", "h2", "section"]), WORD), min_size=1, max_size=8))
def test_blocks_become_lines_in_their_order(reading_many, blocks):
    from html import escape

    page = "<body>" + "".join(f"<div><{tag}>{escape(word)}</{tag}></div>" for tag, word in blocks if tag != "td")
    words = [word for tag, word in blocks if tag != "td"]
    outcome = reading_many("p.html", page.encode())
    assert "\n".join(outcome.texts) == "\n".join(words)


MARKDOWN = """---
title: "From the *front*"
lang: de
year: 2021
tags:
  - nested
---
# Heading

Some *emphasis*, `code`, a [link](http://example.org "t") and ![an image](x.png).
Soft break\\
hard break &amp; entity \\* escaped <b>inline</b>.

- one
- two
  1. deep

| a | b |
|---|---|
| 1 | 2 |

<div>block <i>html</i></div>

```python
x = 1
```

> quoted [by reference][r]

[r]: http://example.org
"""


def test_markdown_gives_text_without_marks_and_front_matter(reading):
    [document] = reading("m.md", MARKDOWN.encode()).documents
    assert (document.title, document.lang, document.metadata["year"]) == ("From the *front*", "de", 2021)
    assert document.metadata["tags"] == ["nested"]
    assert [line for line in document.text.split("\n") if line] == [
        "Heading",
        "Some emphasis, code, a link and an image.",
        "Soft break",
        "hard break & entity * escaped inline.",
        "one",
        "two",
        "deep",
        "a",
        "b",
        "1",
        "2",
        "block html",
        "x = 1",
        "quoted by reference",
    ]


def test_the_first_heading_is_the_title_and_not_text_twice(reading):
    [document] = reading("m.md", b"Title\n=====\n\nBody.\n\n## Sub\n\nMore.").documents
    assert (document.title, document.text) == ("Title", "Body.\n\nSub\n\nMore.")
    [document] = reading("n.markdown", b"Before.\n\n# Late *title*\n\nBody.").documents
    assert (document.title, document.text) == ("Late title", "Before.\n\nLate title\n\nBody.")


def test_markdown_that_is_only_a_heading_is_a_document(reading):
    [document] = reading("m.md", b"# Just this").documents
    assert (document.title, document.text) == ("Just this", "")


def test_a_ruler_is_not_front_matter(reading):
    [document] = reading("m.md", b"text\n\n---\n\nmore: text").documents
    assert document.text == "text\n\nmore: text"


def test_a_paragraph_too_long_to_parse_is_kept_as_it_is(reading):
    long = "[" * 30_000 + "x"
    assert reading("m.md", long.encode()).texts == [long]


@given(st.lists(st.text("abcdé字 ", min_size=1).filter(str.strip), min_size=1, max_size=5))
def test_plain_paragraphs_pass_unchanged(reading_many, paragraphs):
    paragraphs = [" ".join(p.split()) for p in paragraphs]
    assert reading_many("m.md", "\n\n".join(paragraphs).encode()).texts == ["\n\n".join(paragraphs)]


def test_lists_of_front_matter_are_lists(reading):
    written = (
        "---\ntags: [solar, \"wind, sea\", 2020]\nauthors:\n  - Noor\n  - 'de Vries'\nempty:\nnone: []\n"
        "day: 2024-05-01\nnested:\n  deep: 1\nodd: [a, [b]]\nother: x\n- stray\n---\ntext\n"
    )
    [document] = reading("m.md", written.encode()).documents
    found = {key: value for key, value in document.metadata.items() if key not in ("path", "file", "modified")}
    assert found == {
        "tags": ["solar", "wind, sea", 2020],
        "authors": ["Noor", "de Vries"],
        "day": "2024-05-01",
        "odd": "[a, [b]]",
        "other": "x",
    }


@given(st.text("ab:[]-, \n\"'1\t", max_size=60))
def test_any_front_matter_is_read(reading_many, block):
    [document] = reading_many("m.md", f"---\n{block}\n---\nwords\n".encode()).documents
    assert "words" in document.text
