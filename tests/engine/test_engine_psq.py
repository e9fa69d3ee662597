"""Translated words through the whole engine: found, deleted, compacted, filtered, refreshed; without tables; mixed."""

from __future__ import annotations

import json

import numpy as np
import pytest
from doubles.command_line import xsearch as command
from doubles.word_tables import write_word_tables
from msgspec.structs import replace

import xsearch
from xsearch.core import BadInput, Document, EncoderMismatch, IndexDamaged, QueryPieces, Translations, UsageError
from xsearch.encode import load_encoder
from xsearch.engine import compact
from xsearch.engine.encoder import index_encoders
from xsearch.engine.recipe import PsqSettings, Recipe, load_recipe, parse_recipe
from xsearch.engine.tables import function_pieces, mixed, translate
from xsearch.lang.translation import TranslationTables

WORDS = {
    "de": [("election", "Wahlen"), ("river", "Fluss"), ("school", "Schule"), ("the", "die")],
    "ru": [("election", "выборы"), ("river", "река"), ("school", "школа"), ("the", "и")],
}
DOCUMENTS = [
    Document("de-1", "Die Wahlen im Herbst brachten eine neue Mehrheit.", lang="de", metadata={"year": 2019}),
    Document("de-2", "Der Fluss trat nach dem Regen über die Ufer.", lang="de", metadata={"year": 2020}),
    Document("ru-1", "Осенью прошли выборы в парламент.", lang="ru", metadata={"year": 2020}),
    Document("ru-2", "Весной река поднялась.", lang="ru", metadata={"year": 2019}),
    Document("en-1", "The river rose and the school was closed.", lang="en", metadata={"year": 2019}),
]


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    return write_word_tables(tmp_path_factory.mktemp("tables") / "words.tables", WORDS)


def make(folder, tables, retrievers=("bm25", "psq"), documents=DOCUMENTS, **settings):
    index = xsearch.create(folder, Recipe("words", retrievers=retrievers, tables=str(tables), **settings))
    with index.writer() as writer:
        for document in documents:
            writer.add(document)
    return index


def asked(index, text, **options):
    return [hit.id for hit in index.search(text, retrievers=["psq"], lang="en", **options)]


def test_a_word_is_found_by_its_translations_and_nothing_else(tmp_path, tables):
    index = make(tmp_path / "idx", tables)
    assert set(asked(index, "the election")) >= {"de-1", "ru-1"}
    assert set(asked(index, "election", to=["de", "ru"])) == {"de-1", "ru-1"}
    assert set(asked(index, "river")) == {"de-2", "ru-2", "en-1"}
    assert asked(index, "election", to=["de"]) == ["de-1"]
    assert asked(index, "river", filter="year >= 2020") == ["de-2"]
    assert index.manifest.encoder.get("name")
    assert "dense" not in index.snapshot.retrievers


def test_through_english_between_two_others(tmp_path, tables):
    index = make(tmp_path / "idx", tables)
    found = [hit.id for hit in index.search("Wahlen", retrievers=["psq"], lang="de", to=["ru"])]
    assert found == ["ru-1"]


def test_dialects_are_read_by_what_knows_their_language(tmp_path):
    texts = {
        ("votes", "apc"): "صارت الانتخابات الرئاسية امبارح والناس راحت تصوت",
        ("water", "apc"): "طلع النهر بعد المطر وسكرت المدارس",
        ("polls", "yue"): "香港嘅選舉結果尋日公佈咗，好多人去投票。",
        ("trains", "yue"): "鐵路公司話聽日啲火車會遲到。",
    }
    index = xsearch.create(tmp_path / "i", Recipe("both", retrievers=("psq", "dense")))
    with index.writer() as writer:
        for (name, lang), text in texts.items():
            writer.add(Document(name, text, lang=lang))
    for retriever in ("psq", "dense"):
        known = dict(zip(index.snapshot.groups, index.snapshot.supports(retriever, "en")[1], strict=True))
        assert all(0.5 < known[lang] <= 1 for lang in ("apc", "yue")), known
        for question, found in (
            ("presidential elections", {"apc": "votes"}),
            ("rain and rivers", {"apc": "water"}),
            ("election results in Hong Kong", {"yue": "polls"}),
            ("late trains", {"yue": "trains"}),
        ):
            for lang, name in found.items():
                assert index.search(question, lang="en", retrievers=[retriever], to=[lang])[0].id == name, question


def test_deleting_refreshing_and_compacting(tmp_path, tables):
    folder = tmp_path / "idx"
    make(folder, tables)
    reader = xsearch.open(folder)
    with xsearch.open(folder).writer() as writer:
        writer.delete(["de-2"])
        writer.add(Document("de-3", "Am Fluss steht eine Schule.", lang="de"))
    assert "de-2" in asked(reader, "river")
    assert reader.refresh()
    assert set(asked(reader, "river")) == {"de-3", "ru-2", "en-1"}
    before = [(hit.id, hit.lang) for hit in reader.search("school", retrievers=["psq"], lang="en")]
    compact(folder)
    reader.refresh()
    assert [(hit.id, hit.lang) for hit in reader.search("school", retrievers=["psq"], lang="en")] == before
    assert set(asked(reader, "river")) == {"de-3", "ru-2", "en-1"}


def test_a_passage_is_cut_into_the_same_pieces_with_and_without_vectors(tmp_path, tables):
    answers = []
    for retrievers in (("psq",), ("bm25", "dense", "psq")):
        index = make(tmp_path / "-".join(retrievers), tables, retrievers)
        answers.append([(hit.id, hit.score) for hit in index.search("river school", retrievers=["psq"], lang="en")])
        states = index.manifest.retrievers
        assert set(states) == {{"psq": "pieces"}.get(name, name) for name in retrievers}
    assert answers[0] == answers[1]


def test_without_tables_the_others_answer_and_psq_says_what_is_missing(tmp_path, tables, monkeypatch):
    index = make(tmp_path / "idx", tables)
    monkeypatch.setattr("xsearch.engine.snapshot.find_tables", lambda *_: None)
    bare = xsearch.open(tmp_path / "idx")
    assert [hit.id for hit in bare.search("Fluss", lang="de")] == ["de-2"]
    with pytest.raises(UsageError, match="needs translation tables"):
        bare.search("river", retrievers=["psq"])
    assert [name for name in index.snapshot.retrievers] == ["bm25", "psq"]


def test_tables_that_are_missing_or_of_another_vocabulary_are_refused(tmp_path, tables):
    make(tmp_path / "idx", tmp_path / "none.tables")
    with pytest.raises(IndexDamaged, match=r"none\.tables"):
        xsearch.open(tmp_path / "idx").search("river", retrievers=["psq"])
    content = tables.read_bytes()
    other = tmp_path / "other.tables"
    vocabulary = TranslationTables.open(tables).vocabulary
    other.write_bytes(content.replace(vocabulary.encode(), b"0" * len(vocabulary)))
    make(tmp_path / "other", other)
    with pytest.raises(UsageError, match="not of the pieces"):
        xsearch.open(tmp_path / "other").search("river", retrievers=["psq"])


def test_pieces_are_those_of_the_shipped_encoder_where_the_chosen_has_none(tmp_path, tables, monkeypatch):
    class Bare:
        """An encoder of vectors alone."""

        def __init__(self):
            own = load_encoder()
            self.card = replace(own.card, name="bare", fingerprint="f")
            self.encode_queries, self.encode_passages = own.encode_queries, own.encode_passages
            self.supports, self.word_weights = own.supports, own.word_weights

    def load(name=None, *settings):
        return Bare() if name == "bare" else load_encoder(name, *settings)

    monkeypatch.setattr("xsearch.engine.encoder.load_encoder", load)
    recipe = Recipe("both", retrievers=("dense", "psq"), encoder="bare", tables=str(tables))
    index = xsearch.create(tmp_path / "idx", recipe)
    with index.writer() as writer:
        for document in DOCUMENTS:
            writer.add(document)
    assert index.manifest.encoder["name"] == "bare"
    assert index.manifest.encoder["pieces"]["name"] == load_encoder().card.name
    assert asked(index, "river", to=["de"]) == ["de-2"]
    damaged = {**index.manifest.encoder, "pieces": {"name": "x", "fingerprint": "x"}}
    with pytest.raises(EncoderMismatch, match="compact"):
        index_encoders(replace(index.manifest, encoder=damaged), index.path)


def test_a_hit_says_which_word_met_which(tmp_path, tables):
    index = make(tmp_path / "idx", tables)
    (hit,) = index.search("the election", lang="en", to=["de"], retrievers=["psq"], explain=True)
    (match,) = hit.matches
    assert (match.query, match.word) == ("election", "Wahlen")
    assert hit.text[match.start : match.end] == "Wahlen"
    assert 0.4 < match.strength <= 1
    assert [hit.snippet[start:end] for start, end in hit.spans] == ["Wahlen"]
    assert index.search("the election", lang="en", to=["de"])[0].matches == ()
    (own,) = index.search("river", lang="en", to=["en"], retrievers=["psq"], explain=True)
    assert own.matches == ()
    assert [own.snippet[start:end] for start, end in own.spans] == ["river"]


def test_the_command_line_shows_translations(tmp_path, tables):
    make(tmp_path / "idx", tables).close()
    asked = ("query", "election", "-i", "idx", "--lang", "en", "--to", "de,ru", "--explain")
    shown = command(*asked, cwd=tmp_path)
    assert "Wahlen ← election" in shown.out
    assert "выборы ← election" in shown.out
    assert "de: election → wahlen" in shown.err
    answer = json.loads(command(*asked, "--format", "json", cwd=tmp_path).out)
    assert answer["query"]["translations"]["ru"] == {"election": ["выборы"]}
    (match,) = next(hit["matches"] for hit in answer["hits"] if hit["id"] == "ru-1")
    assert match["word"] == "выборы"


def test_an_ambiguous_query_is_translated_from_each_of_its_languages():
    one = Translations(np.array([0, 2, 3]), np.array([5, 7, 9], np.int32), np.array([0.5, 0.25, 1.0], np.float32))
    two = Translations(np.array([0, 1, 1]), np.array([7], np.int32), np.array([1.0], np.float32))
    both = mixed([(0.75, one), (0.25, two)])
    assert both.starts.tolist() == [0, 2, 3]
    assert both.tokens.tolist() == [5, 7, 9]
    assert both.probabilities.tolist() == [0.375, 0.1875 + 0.25, 0.75]
    assert mixed([(1.0, one)]) is one


def test_words_that_say_little_are_whole_words():
    text = "of zer o"
    pieces = QueryPieces(
        np.arange(4, dtype=np.int32),
        np.array([0.4, 0.6, 0.5, 0.2], np.float32),
        np.array([0, 3, 5, 7]),
        np.array([2, 5, 6, 8]),
    )
    assert function_pieces(text, pieces).tolist() == [True, False, False, True]
    none = QueryPieces(*(np.zeros(0, kind) for kind in (np.int32, np.float32, np.int64, np.int64)))
    assert function_pieces("", none).tolist() == []


def test_function_words_stay_in_the_querys_own_language(tables):
    pieces = load_encoder().query_pieces("the river")
    found = translate(TranslationTables.open(tables), "the river", pieces, (("en", 1.0),), ["de", "en", "ru", "xx"])
    assert set(found) == {"de", "en", "ru"}
    assert np.diff(found["en"].starts).tolist() == [1, 1]
    assert np.diff(found["de"].starts).tolist()[0] == 0
    assert np.diff(found["de"].starts).tolist()[1] > 0


def test_passages_translated_when_they_are_indexed_are_found_alike(tmp_path, tables):
    late = make(tmp_path / "late", tables)
    early = make(tmp_path / "early", tables, psq=PsqSettings(langs=("eng",)))
    assert set(early.manifest.retrievers) == {"bm25", "expected"}
    assert early.manifest.retrievers["expected"]["langs"] == ["en"]
    for text, lang in [("the election", "en"), ("river school", "en"), ("Wahlen", "de"), ("река", "ru")]:
        hits = [index.search(text, retrievers=["psq"], lang=lang) for index in (late, early)]
        assert [hit.id for hit in hits[0]] == [hit.id for hit in hits[1]] != []
        assert [hit.score for hit in hits[1]] == pytest.approx([hit.score for hit in hits[0]], rel=0.02)
    with xsearch.open(tmp_path / "early").writer() as writer:
        writer.delete(["de-2"])
        writer.add(Document("de-3", "Am Fluss steht eine Schule.", lang="de"))
    assert early.refresh()
    assert set(asked(early, "river")) == {"de-3", "ru-2", "en-1"}
    compact(tmp_path / "early")
    early.refresh()
    assert set(asked(early, "river")) == {"de-3", "ru-2", "en-1"}


def test_beside_late_interaction_passages_are_translated_too(tmp_path, tables):
    index = make(tmp_path / "idx", tables, ("psq", "late"), psq=PsqSettings(langs=("en",)))
    assert "pieces" not in index.manifest.retrievers
    assert set(asked(index, "election", to=["de", "ru"])) == {"de-1", "ru-1"}
    assert len(index.search("river", retrievers=["late"], lang="en")) > 0


def test_other_tables_than_passages_were_translated_with_are_refused(tmp_path, tables):
    own = tmp_path / "own.tables"
    own.write_bytes(tables.read_bytes())
    make(tmp_path / "idx", own, psq=PsqSettings(langs=("en",))).close()
    write_word_tables(own, {"de": [("river", "Fluss")]})
    with pytest.raises(EncoderMismatch, match=r"translation tables .* compact"):
        xsearch.open(tmp_path / "idx").search("river", retrievers=["psq"], lang="en")
    compact(tmp_path / "idx")
    assert asked(xsearch.open(tmp_path / "idx"), "river", to=["de"]) == ["de-2"]


def test_a_recipe_chooses_the_model_and_the_languages_asked_in(tmp_path, tables):
    scores = [
        [hit.score for hit in make(tmp_path / model, tables, psq=PsqSettings(model=model)).search("river", lang="en")]
        for model in ("bm25", "hmm")
    ]
    assert len(scores[0]) == len(scores[1])
    assert scores[0] != scores[1]
    assert load_recipe("psq-index-time").psq.langs == ("en",)
    with pytest.raises(BadInput, match=r"psq\.langs.*xyzzy"):
        parse_recipe('name = "a"\nretrievers = ["psq"]\n[psq]\nlangs = ["xyzzy"]', "a.toml")


def test_without_tables_passages_cannot_be_translated(tmp_path, monkeypatch):
    monkeypatch.setattr("xsearch.engine.encoder.find_tables", lambda *_: None)
    with pytest.raises(UsageError, match="translates passages"):
        xsearch.create(tmp_path / "idx", load_recipe("psq-index-time"))


def test_a_script_without_pieces_is_found_by_its_words(tmp_path):
    texts = {
        "nqo": "ߒߞߏ ߦߋ߫ ߛߓߍߛߎ߲ ߘߏ߫ ߟߋ߬ ߘߌ߫، ߛߏߟߏߡߣߊ߫ ߞߊ߲ߕߍ߫ ߟߊ߫ ߡߍ߲ ߛߌ߲ߘߌ߫ ߘߊ߫ ߁߉߄߉ ߟߊ߫.",
        "fi": "Nuuk Kalaallit Nunaanni illoqarfiit annersaraat. Piniartut qajartorlutik puisinniarput.",
        "lo": "ນະຄອນຫຼວງວຽງຈັນຕັ້ງຢູ່ແຄມແມ່ນ້ຳຂອງ.",
        "en": "The river is wide.",
    }
    with xsearch.create(tmp_path / "i") as index:
        with index.writer() as writer:
            for lang, text in texts.items():
                writer.add(xsearch.Document(lang, text, lang=lang))
        hits = index.search("ߒߞߏ", explain=True)
        assert hits[0].id == "nqo"
        assert [part.support for part in hits[0].explain if part.retriever == "psq"] == [0.0]
        assert any(part.support for part in index.search("river", explain=True)[0].explain if part.retriever == "psq")
