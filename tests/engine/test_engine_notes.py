"""What a search says beside its answer: why nothing was found, what was not looked for."""

import pytest

import xsearch
from xsearch.core import Document
from xsearch.engine import SearchOptions


@pytest.mark.parametrize("text", ["🍕", "?!", "…", "👨‍👩‍👧 🚆"])
def test_a_query_without_words_says_so(tmp_path, text):
    index = xsearch.create(tmp_path / "i")
    with index.writer() as writer:
        writer.add(xsearch.Document("a", "I love pizza 🍕 so much"))
    _, found = index.find(text)
    assert not len(found.documents)
    assert found.notes == ("the query has neither letters nor digits: signs and emoji are not searched for",)
    assert index.find(f"pizza {text}")[1].notes == ()


def test_a_filter_that_no_document_satisfies_is_answered_with_the_fields(tmp_path):
    with xsearch.create(tmp_path / "i") as index:
        with index.writer() as writer:
            writer.add(Document("1", "A report on rivers", metadata={"year": 1999, "tags": ["a"]}))
            writer.add(Document("2", "A report on lakes", metadata={"year": "2000"}))
            writer.add(Document("3", "A report on seas", metadata={"gone": True}))
        with index.writer() as writer:
            writer.delete(["3"])
        told = "no document satisfies the filter; the fields are tags (array), year (integer or text)"
        assert told in index.find("report", SearchOptions(filter="tags == 'a'"))[1].notes
        assert told in index.find("report", SearchOptions(filter="gone"))[1].notes
        assert index.find("report", SearchOptions(filter="'a' in tags"))[1].notes == ()
        with index.writer() as writer:
            writer.add(Document("4", "x", metadata={f"f{i:02}": i for i in range(20)}))
            writer.delete(["1", "2"])
        (note,) = index.find("report", SearchOptions(filter="year > 1"))[1].notes
        assert note.endswith("f10 (integer), f11 (integer) and 8 more")


def test_phrases_and_required_words_that_no_document_has_are_told(tmp_path):
    with xsearch.create(tmp_path / "i") as index:
        with index.writer() as writer:
            writer.add(Document("1", "The server says bad gateway again.", lang="en"))
            writer.add(Document("2", "Die Brücke ist aus Stein.", lang="de"))

        def notes(text):
            return index.find(text, SearchOptions(lang="en"))[1].notes

        told = "no document has the phrase 'gateway bad': its words are looked for one by one"
        assert notes('"gateway bad" server') == (told,)
        assert notes('"harbour"') == ()
        assert notes('"bad gateway" server') == notes("+server gateway") == notes("gateway bad") == ()
        assert notes("+harbour gateway") == ("no document has 'harbour', which is required",)
        assert notes('+"gateway bad"') == ("no document has 'gateway bad', which is required",)
        # Each is there, but not in one document: that is what nothing found means.
        assert notes("+server +Brücke") == ()


def test_an_index_without_documents_says_so(tmp_path):
    with xsearch.create(tmp_path / "i") as index:
        _, found = index.find("river", SearchOptions(lang="en", to=["de"], filter="year > 2000"))
        assert found.notes == ("the index holds no documents yet",)
        assert len(found.documents) == 0
