"""Tables of words out and in: what comes back, what is spelled in several pieces, what is refused."""

import gzip
import json
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xsearch.cli.app import main
from xsearch.core import BadInput, EncoderMismatch, UsageError
from xsearch.encode import EncoderCard, load_encoder, write_card
from xsearch.encode.codes import code_rows
from xsearch.encode.static import fingerprint, save_static
from xsearch.lang.translation import Limits, TranslationTables
from xsearch.lang.translation_file import write_tables
from xsearch.train.align.exchange import export_words, import_words, read_words

ALL = Limits(0.0, 2.0, 1000)
WORDS = {
    "cat": {"gato": 0.75, "gata": 0.25},
    "house": {"casa": 0.5, "vivienda": 0.3, "hogar": 0.2},
    "water": {"agua": 1.0},
}


@pytest.fixture(scope="module")
def card(tmp_path_factory):
    """An encoder whose pieces are some words, and letters."""
    words = ["cat", "house", "water", "gato", "gata", "casa", "hogar", "agua", "chat"]
    spelled = [("<unk>", 0.0), *((f"▁{word}", -3.0) for word in words), *((c, -9.0) for c in "▁tyranosuidegxzlhcvw")]
    table = code_rows(
        np.random.default_rng(1).random((len(spelled), 8)).astype(np.float32), 2, np.random.default_rng(1)
    )
    folder = tmp_path_factory.mktemp("encoder")
    save_static(folder / "tiny", spelled, table)
    print_of = fingerprint(spelled, table, 40)
    path = folder / "tiny.toml"
    sizes = {"dim": 8, "vocabulary": len(spelled), "window": 40}
    write_card(
        EncoderCard(name="tiny", kind="static", **sizes, licence="CC0-1.0", fingerprint=print_of, files="tiny"), path
    )
    return path


@pytest.fixture(scope="module")
def encoder(card):
    return load_encoder(card)


def pieces(encoder, word):
    return encoder.token_bags([word]).tokens.tolist()


def test_round_trip(encoder, tmp_path):
    path = tmp_path / "own.tables"
    import_words(WORDS, encoder, "en", "es", path)
    tables = TranslationTables.open(path)
    found = export_words(tables, encoder, "en", "es", ALL)
    kept = {w: {t: p for t, p in ts.items() if len(pieces(encoder, t)) == 1} for w, ts in WORDS.items()}
    assert {w: set(ts) for w, ts in found.items()} == {w: set(ts) for w, ts in kept.items()}
    for word, translations in kept.items():
        assert found[word] == pytest.approx(translations, rel=0.05)
    assert next(iter(found["house"])) == "casa"
    # The other way round every Spanish word has one English word.
    assert export_words(tables, encoder, "es", "en", ALL)["agua"] == {"water": 1.0}
    # What is exported can be imported, to the same effect.
    again = tmp_path / "again.tables"
    import_words(found, encoder, "en", "es", again)
    once_more = export_words(TranslationTables.open(again), encoder, "en", "es", ALL)
    assert set(once_more) == set(found)
    assert once_more["cat"] == pytest.approx(found["cat"], rel=0.05)


def test_pieces_of_a_word_share_its_translations(encoder, tmp_path):
    long = "sunday"  # six pieces
    parts = pieces(encoder, long)
    assert len(parts) > 1
    import_words({"cat": {long: 0.5, "gato": 0.5}}, encoder, "en", "es", tmp_path / "t")
    found = TranslationTables.open(tmp_path / "t").translate(np.array(pieces(encoder, "cat")), "en", ["es"], ALL)["es"]
    shares = dict(zip(found.tokens.tolist(), found.probabilities.tolist(), strict=True))
    assert shares.pop(pieces(encoder, "gato")[0]) == pytest.approx(0.5, rel=0.03)
    assert shares == pytest.approx(dict.fromkeys(parts, 0.5 / len(parts)), rel=0.05)


def test_importing_keeps_other_tables_and_replaces_its_own(encoder, tmp_path):
    path = tmp_path / "t"
    import_words(WORDS, encoder, "en", "es", path)
    import_words({"cat": {"chat": 1.0}}, encoder, "en", "fr", path)
    import_words({"agua": {"water": 1.0}}, encoder, "es", "en", path)
    tables = TranslationTables.open(path)
    assert set(tables.pairs()) == {("en", "fr"), ("es", "en")}
    assert export_words(tables, encoder, "en", "fr") == {"cat": {"chat": 1.0}}
    assert export_words(tables, encoder, "en", "es") == {"water": {"agua": 1.0}}
    assert export_words(tables, encoder, "fr", "es") == {}  # chat → cat, which the new table does not have
    with pytest.raises(UsageError, match="fr"):
        export_words(tables, encoder, "en", "de")


def test_other_vocabularies_and_empty_tables_are_refused(encoder, tmp_path):
    write_tables(tmp_path / "t", 10, "other", {}, [])
    with pytest.raises(EncoderMismatch):
        import_words(WORDS, encoder, "en", "es", tmp_path / "t")
    with pytest.raises(BadInput, match="no word"):
        import_words({"\u2014": {"!": 1.0}}, encoder, "en", "es", tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("text", ["[1]", '{"a": 1}', '{"a": {"b": "c"}}', '{"a": {"b": 1.5}}', '{"a": {"b": -1}}', "{"])
def test_what_is_no_table_of_words_is_refused(tmp_path, text):
    (tmp_path / "w.json").write_text(text)
    with pytest.raises(BadInput, match=r"w\.json"):
        read_words(tmp_path / "w.json")


@settings(max_examples=60, deadline=None)
@given(raw=st.binary(max_size=40) | st.binary(max_size=40).map(lambda b: b"\x1f\x8b" + b))
def test_any_bytes_are_read_or_refused(tmp_path_factory, raw):
    path = tmp_path_factory.mktemp("w") / "w"
    path.write_bytes(raw)
    try:
        read_words(path)
    except BadInput:
        return


def test_commands(card, tmp_path, monkeypatch, capsys):
    words = tmp_path / "words.dict.gz"
    words.write_bytes(gzip.compress(json.dumps(WORDS).encode()))
    into = str(tmp_path / "own.tables")

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["xsearch", "encoders", "tables", *arguments])
        with pytest.raises(SystemExit) as stop:
            main()
        return stop.value.code, capsys.readouterr()

    named = ("--encoder", str(card))
    assert run("import", str(words), "--pair", "eng-spa", "--into", into, *named)[0] == 0
    code, told = run("export", into, "--pair", "en-es", "--alternatives", "1", *named)
    assert code == 0
    first = {word: next(iter(translations)) for word, translations in WORDS.items()}
    assert {word: list(translations) for word, translations in json.loads(told.out).items()} == {
        word: [translation] for word, translation in first.items()
    }
    code, told = run("show", into)
    assert code == 0
    assert "en-es" in told.out
    assert run("export", into, "--pair", "en", *named)[0] == 2
    assert run("export", into, "--pair", "en-de", *named)[0] == 2
    assert run("import", str(tmp_path / "absent"), "--pair", "en-es", "--into", into, *named)[0] == 3
    assert run("show", str(words))[0] == 4
