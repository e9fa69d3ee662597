"""Pairs mined from documents: by hand, against plain computations, cut short anywhere, in three languages."""

import json

import numpy as np
import pytest
from doubles.command_line import xsearch as run
from hypothesis import given, settings
from hypothesis import strategies as st

import xsearch
from xsearch.core import BadInput, Document, QueryPieces, UsageError
from xsearch.encode import load_encoder
from xsearch.engine.tables import find_tables
from xsearch.storage.records import NewPassage, StoredDocument
from xsearch.train.mining import MiningOptions, mine_pairs
from xsearch.train.mining.answers import whole_words
from xsearch.train.mining.comparable import Comparable, linked, merged, mutual, plain
from xsearch.train.mining.journal import Journal
from xsearch.train.mining.pair import TrainingPair
from xsearch.train.mining.projection import LINK, Alignment, Projected, align, coverage, emissions, sentence_pairs
from xsearch.train.mining.within import is_question, pairs_within

TEXTS = {
    "volcano": {
        "en": "How high is Mount Etna? Mount Etna on Sicily is 3,400 metres high and the tallest active volcano in "
        "Europe. In 1669 the lava destroyed a large part of the city of Catania. Wine and oranges grow on its slopes.",
        "de": "Wie hoch ist der Ätna? Der Ätna auf Sizilien ist 3.400 Meter hoch und der höchste aktive Vulkan in "
        "Europa. Im Jahr 1669 zerstörte die Lava einen großen Teil der Stadt Catania. An seinen Hängen wachsen Wein "
        "und Orangen.",
        "fr": "Quelle est la hauteur de l'Etna ? L'Etna en Sicile mesure 3 400 mètres et est le plus haut volcan actif "
        "d'Europe. En 1669, la lave a détruit une grande partie de la ville de Catane.",
    },
    "bees": {
        "en": "Bees live together in a hive and collect nectar and pollen from flowers. The queen lays up to two "
        "thousand eggs a day. In winter the bees warm each other and eat the honey that they stored in summer.",
        "de": "Bienen leben zusammen in einem Bienenstock und sammeln Nektar und Pollen von Blumen. Die Königin legt "
        "bis zu zweitausend Eier am Tag. Im Winter wärmen sich die Bienen und fressen den Honig, den sie im Sommer "
        "gesammelt haben.",
        "fr": "Les abeilles vivent ensemble dans une ruche et récoltent le nectar et le pollen des fleurs. La reine "
        "pond jusqu'à deux mille œufs par jour. En hiver les abeilles se réchauffent et mangent le miel de l'été.",
    },
    "trains": {
        "en": "The railway line through the mountains was opened in 1882. The trains carry passengers and goods "
        "through a tunnel of fifteen kilometres. The station lies in the middle of the town near the river.",
        "de": "Die Eisenbahnlinie durch die Berge wurde 1882 eröffnet. Die Züge befördern Reisende und Güter durch "
        "einen Tunnel von fünfzehn Kilometern. Der Bahnhof liegt mitten in der Stadt am Fluss.",
        "fr": "La ligne de chemin de fer à travers les montagnes a été ouverte en 1882. Les trains transportent des "
        "voyageurs et des marchandises par un tunnel de quinze kilomètres. La gare se trouve au centre de la ville.",
    },
}
TITLES = {"volcano": "Mount Etna", "bees": "Life of the bees", "trains": "A mountain railway"}


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    made = xsearch.create(tmp_path_factory.mktemp("mined") / "idx")
    with made.writer() as writer:
        for name, wordings in TEXTS.items():
            for lang, text in wordings.items():
                title = TITLES[name] if lang == "en" else None
                writer.add(Document(f"{name}.{lang}", text, title=title, lang=lang, metadata={"topic": name}))
    yield made
    made.close()


@pytest.fixture(scope="module")
def tables():
    encoder = load_encoder()
    return find_tables(None, encoder), encoder


def mined(index, path, **options) -> list[TrainingPair]:
    mine_pairs(index, path, MiningOptions(**options))
    return [TrainingPair(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


def stored(text: str, title: str | None = None, lang: str = "en") -> StoredDocument:
    spans = (NewPassage(0, len(text), lang, "Latn", 1.0),)
    return StoredDocument(0, "doc", text, title, lang, {}, None, 0, spans)


def test_titles_headings_and_questions_of_a_document():
    words = " ".join(f"Word{i}" for i in range(14))
    under = f"{words} three. Why does it rise? {words}. No?"
    text = f"Getting the oven hot\n{words} one.\n{words} two.\nWhy bread rises\n{under}"
    pairs = list(pairs_within(stored(text, "How to bake bread"), ("title", "heading", "question")))
    assert [(pair.origin, pair.query, pair.positive) for pair in pairs] == [
        ("title", "How to bake bread", text),
        ("heading", "Getting the oven hot", f"{words} one.\n{words} two."),
        ("heading", "Why bread rises", under),
        ("question", "Why does it rise?", f"{words}."),
    ]
    # A title of one word, a heading above another, an answer of three words say too little.
    short = stored("First things\nThen others\nThree words only.", "Introduction")
    assert list(pairs_within(short, ("title", "heading", "question"))) == []
    assert is_question("»Warum?«", "de")
    assert is_question("لماذا؟", "ar")
    assert is_question("γιατί;", "el")
    assert not is_question("Stop;", "en")


def test_mutual_documents_and_their_margin_by_hand():
    langs = {0: "de", 1: "de", 2: "en", 3: "en"}
    near = {
        0: {"en": [(2, 0.6), (3, 0.2)]},
        1: {"en": [(2, 0.3), (3, 0.2)]},
        2: {"de": [(0, 0.8), (1, 0.4)]},
        3: {"de": [(1, 0.1)]},
    }
    # 0 and 2 find each other: s = .7, around .2/2 + .4/2 = .3, so .7 · .7 / (.7 + .3); 1 finds 2, not 2 it.
    assert mutual(langs, near, 0.0) == [Comparable(0, 2, 0.49)]
    assert mutual(langs, near, 0.5) == []
    assert linked({"q1": [3, 0, 1], "q2": [2]}, langs) == [Comparable(0, 3, 1.0), Comparable(1, 3, 1.0)]
    both = merged([Comparable(0, 2, 1.0)], [Comparable(0, 2, 0.7), Comparable(0, 1, 0.6)])
    assert list(both) == [Comparable(0, 1, 0.6), Comparable(0, 2, 1.0)]


def test_plain_text_keeps_every_letter_and_no_operator():
    assert plain('+a -"b c" title:d «e»') == "a b c title d e"
    assert plain("नदी का जल") == "नदी का जल"


def test_emissions_are_what_the_tables_say(tables):
    found, encoder = tables
    left, right = (
        encoder.query_pieces(text).tokens for text in ("the red house of the king", "das rote Haus des Königs")
    )
    matrix = emissions(found, left, right, "en", "de")
    translations = found.translate(left, "en", ["de"])["de"]
    for i in range(len(left)):
        inside = slice(translations.starts[i], translations.starts[i + 1])
        probable = dict(
            zip(translations.tokens[inside].tolist(), translations.probabilities[inside].tolist(), strict=True)
        )
        # What both have is a name or a number, or may be.
        expected = [max(probable.get(piece, 0.0), 0.3 * (piece == left[i])) for piece in right.tolist()]
        assert matrix[:, i].tolist() == pytest.approx(expected)


def test_coverage_by_hand(tables):
    found, encoder = tables
    sides = [
        [encoder.query_pieces(text) for text in texts] for texts in (["red house", "winter"], ["rotes Haus", "Winter"])
    ]
    scores = coverage(found, sides[0], sides[1], "en", "de")
    for row, query in enumerate(sides[0]):
        for column, text in enumerate(sides[1]):
            emitted = emissions(found, query.tokens, np.unique(text.tokens), "en", "de").sum(axis=0)
            expected = (query.weights * np.minimum(1, emitted)).sum() / query.weights.sum()
            assert scores[row, column] == pytest.approx(expected, rel=1e-5)
    assert scores[0, 0] > scores[0, 1]
    texts = ["I bought some bread.", "The winter was cold."], ["Der Winter war kalt.", "Ich habe Brot gekauft."]
    assert {pair[:2] for pair in sentence_pairs(found, encoder, texts, ("en", "de"), 0.2)} == {(0, 1), (1, 0)}
    assert sentence_pairs(found, encoder, ([], texts[1]), ("en", "de"), 0.0) == []


def test_words_are_projected_onto_their_translations(tables):
    found, encoder = tables
    left = "In 1669 the lava destroyed a large part of the city of Catania."
    right = "Im Jahr 1669 zerstörte die Lava einen großen Teil der Stadt Catania."
    made = align(found, encoder.query_pieces(left), encoder.query_pieces(right), ("en", "de"))
    for word, translation in (("1669", "1669"), ("destroyed", "zerstörte"), ("lava", "Lava"), ("Catania", "Catania")):
        start = left.index(word)
        projected = made.project(start, start + len(word))
        assert projected is not None
        assert right[projected.start : projected.end] == translation


def test_an_answer_ends_where_a_word_does():
    for text, start, end, whole in (
        ("Die Beziehungen leiden.", 4, 13, "Beziehungen"),
        ("हिन्दी में", 0, 3, "हिन्दी"),
        ("她记得二零一六", 1, 2, "记"),
        ("am Ende", 3, 7, "Ende"),
    ):
        found = whole_words(text, Projected(start, end, 0.5))
        assert text[found.start : found.end] == whole


@given(st.integers(1, 6), st.integers(1, 6), st.data())
@settings(deadline=None)
def test_a_projection_is_a_phrase_pair(rights, lefts, data):
    cells = st.sampled_from([0.0, 0.1, LINK, 0.9])
    links = np.array(data.draw(st.lists(cells, min_size=rights * lefts, max_size=rights * lefts)), dtype=np.float32)
    links = links.reshape(rights, lefts)
    first = data.draw(st.integers(0, lefts - 1))
    last = data.draw(st.integers(first, lefts - 1))

    def pieces(n):
        starts = np.arange(n) * 2
        return QueryPieces(np.arange(n, dtype=np.int32), np.ones(n, np.float32), starts, starts + 1)

    projected = Alignment(pieces(lefts), pieces(rights), links).project(first * 2, last * 2 + 1)
    pairs = {(j, i) for j in range(rights) for i in range(lefts) if links[j, i] >= LINK}
    inside = {j for j, i in pairs if first <= i <= last}
    if projected is None:
        covered = {i for _, i in pairs if first <= i <= last}
        crossed = any(min(inside) <= j <= max(inside) and not first <= i <= last for j, i in pairs) if inside else True
        far = bool(inside) and max(inside) - min(inside) + 1 > 4 * (last - first + 1)
        assert crossed or far or len(covered) * 2 < last - first + 1
    else:
        assert (projected.start, projected.end) == (min(inside) * 2, max(inside) * 2 + 1)
        assert all(first <= i <= last for j, i in pairs if min(inside) <= j <= max(inside))


@given(st.integers(0, 400), st.binary(max_size=8))
@settings(deadline=None, max_examples=60)
def test_a_journal_cut_anywhere_does_the_rest_and_ends_the_same(tmp_path_factory, cut, garbage):
    folder = tmp_path_factory.mktemp("journal")
    output, run, units = folder / "out.jsonl", {"index": 1, "k": (1, 2)}, [f"unit {i}" for i in range(4)]

    def work(done):
        made = []
        with Journal(output, run) as journal:
            for name in units:
                made += journal.unit(name, lambda name=name: done.append(name) or [{"a": name}, {"b": "ä\n"}])
            part = (folder / "out.jsonl.part").read_bytes()
            journal.finish([])
        return made, part

    expected, whole = work([])
    assert not (folder / "out.jsonl.part").exists()
    (folder / "out.jsonl.part").write_bytes(whole[:cut] + (garbage if cut < len(whole) else b""))
    done: list[str] = []
    made, part = work(done)
    assert made == expected
    assert part == whole
    # What was whole is not done again.
    lines = whole[:cut].splitlines(keepends=True)
    assert len(done) == len(units) - sum(line.startswith(b'{"done"') and line.endswith(b"\n") for line in lines)
    (folder / "other.jsonl.part").write_bytes(whole)
    with pytest.raises(BadInput, match="other settings"):
        Journal(folder / "other.jsonl", {"index": 2})


def test_pairs_of_three_languages(index, tmp_path):
    pairs = mined(index, tmp_path / "pairs.jsonl")
    by = {}
    for pair in pairs:
        by.setdefault(pair.origin, []).append(pair)
        assert 1 <= pair.rank <= 10
        if pair.answer:
            assert pair.positive[pair.answer_start :].startswith(pair.answer)
    assert {(pair.query, pair.positive_id) for pair in by["title"]} == {(TITLES[n], f"{n}.en") for n in TITLES}
    assert {pair.query_id for pair in by["question"]} == {f"volcano.{lang}" for lang in ("en", "de", "fr")}
    # Every document finds those of its kind, both ways, and no other.
    expected = {(f"{n}.{a}", f"{n}.{b}") for n in TEXTS for a in TEXTS[n] for b in TEXTS[n] if a != b}
    found = {(pair.query_id, pair.positive_id) for pair in by["comparable"]}
    assert found <= expected
    assert len(found) >= 0.8 * len(expected)
    aligned = by["aligned"]
    assert all(pair.query_id.split(".")[0] == pair.positive_id.split(".")[0] for pair in aligned)
    asked = {(pair.query, pair.positive_lang): pair.answer for pair in aligned}
    assert asked["How high is Mount Etna?", "de"].startswith("Der Ätna auf Sizilien ist 3.400 Meter hoch")
    assert sum("…" in pair.query for pair in aligned) >= 6


def test_the_same_run_gives_the_same_file_also_when_cut_short(index, tmp_path, monkeypatch):
    monkeypatch.setattr("xsearch.train.mining.mine.UNIT", 2)
    whole, cut = tmp_path / "whole.jsonl", tmp_path / "cut.jsonl"
    mine_pairs(index, whole)
    calls = []

    def stop(*progress):
        calls.append(progress)
        if len(calls) in (3, 9):
            raise KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            mine_pairs(index, cut, on_progress=stop)
        assert not cut.exists()
    report = mine_pairs(index, cut, on_progress=stop)
    assert cut.read_bytes() == whole.read_bytes()
    assert report.pairs.total() == len(whole.read_bytes().splitlines())
    with pytest.raises(KeyboardInterrupt):
        mine_pairs(index, cut, on_progress=lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(BadInput, match="other settings"):
        mine_pairs(index, cut, MiningOptions(found=3))


def test_documents_that_say_what_they_are_about_are_linked(index, tmp_path):
    pairs = mined(index, tmp_path / "p.jsonl", origins=("comparable",), least=1.0, link="topic", found=0)
    assert len(pairs) == 18
    assert {pair.score for pair in pairs} == {1.0}


def test_evaluation_text_is_left_out_and_refused(index, tmp_path):
    excluded = tmp_path / "topics.jsonl"
    excluded.write_text(json.dumps({"id": "1", "text": TEXTS["bees"]["de"]}) + "\n" + '{"text": "mount etna!"}\n')
    report = mine_pairs(index, tmp_path / "p.jsonl", MiningOptions(exclude=(excluded,)))
    assert report.excluded == 2
    ids = {name for line in (tmp_path / "p.jsonl").read_text().splitlines() for name in [json.loads(line)["query_id"]]}
    assert not ids & {"bees.de", "volcano.en"}
    excluded.write_text("".join(json.dumps({"text": text}) + "\n" for w in TEXTS.values() for text in w.values()))
    with pytest.raises(BadInput, match="evaluation text is not to be trained on"):
        mine_pairs(index, tmp_path / "q.jsonl", MiningOptions(exclude=(excluded,)))


def test_one_language_and_none_are_said(tmp_path):
    index = xsearch.create(tmp_path / "idx")
    with pytest.raises(BadInput, match="no documents to mine"):
        mine_pairs(index, tmp_path / "p.jsonl")
    with index.writer() as writer:
        writer.add(Document("1", TEXTS["bees"]["en"], title="Life of the bees", lang="en"))
    report = mine_pairs(index, tmp_path / "p.jsonl")
    assert report.pairs == {"title": 1}
    assert report.notes == ["all documents are in one language (en): no pairs across languages"]
    with pytest.raises(UsageError, match="need documents in two languages"):
        mine_pairs(index, tmp_path / "q.jsonl", MiningOptions(origins=("comparable",)))


def test_the_command_reads_files(tmp_path):
    source = tmp_path / "docs.jsonl"
    lines = [
        {"id": f"{n}.{lang}", "lang": lang, "title": TITLES[n], "text": TEXTS[n][lang]}
        for n in TEXTS
        for lang in ("en", "de")
    ]
    source.write_text("".join(json.dumps(line) + "\n" for line in lines))
    output = tmp_path / "pairs.jsonl"
    done = run("train", "pairs", source, "--output", output, "--origin", "title", cwd=tmp_path)
    assert done.code == 0, done.err
    assert "pairs (" in done.err
    assert {json.loads(line)["origin"] for line in output.read_text().splitlines()} == {"title"}
    elsewhere = tmp_path / "new" / "pairs.jsonl"
    again = run("train", "pairs", f"{output}.index", "--output", elsewhere, "--origin", "title", cwd=tmp_path)
    assert again.code == 0, again.err
    assert elsewhere.read_bytes() == output.read_bytes()
    assert run("train", "pairs", source, "--origin", "nothing", cwd=tmp_path).code == 2
    before = sorted(tmp_path.iterdir())
    for wrong in ((tmp_path / "absent",), (f"{output}.index", "--exclude", "absent.jsonl")):
        assert run("train", "pairs", *wrong, "--output", tmp_path / "none.jsonl", cwd=tmp_path).code == 3
    assert sorted(tmp_path.iterdir()) == before
