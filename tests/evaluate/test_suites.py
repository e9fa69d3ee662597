"""Suites run collections through the engine; reports show what came out."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from xsearch.core import BadInput, Topic, UsageError
from xsearch.corpora.collections import known_collections
from xsearch.evaluate.baseline import row_regressions
from xsearch.evaluate.fairness import pair_means
from xsearch.evaluate.measures import parse_measures
from xsearch.evaluate.published import published_section
from xsearch.evaluate.report import latest, markdown, plot_all
from xsearch.evaluate.results import overview, read_results, summary
from xsearch.evaluate.suite import Published, Suite, System, known_suites, load_suite
from xsearch.evaluate.suites import SuiteOptions, read_rows, run_suite, sampled
from xsearch.rank.rerank import known

pytest.importorskip("ir_measures")

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SUBJECTS = {
    "de": ["Bienen sammeln Pollen", "Der Vulkan spuckt Lava", "Das Brot wird gebacken"],
    "fr": ["Les abeilles butinent le pollen", "Le volcan crache de la lave", "Le pain cuit au four"],
}


@pytest.fixture
def folder(tmp_path):
    docs = [
        {"id": f"{i}.{lang}", "lang": lang, "text": text} for lang in SUBJECTS for i, text in enumerate(SUBJECTS[lang])
    ]
    words = {"de": ["Bienen", "Vulkan Lava", "Brot"], "fr": ["abeilles", "volcan", "pain"]}
    topics = [{"id": f"t{i}", "lang": lang, "text": text} for lang in words for i, text in enumerate(words[lang])]
    home = tmp_path / "tiny"
    home.mkdir()
    for name, rows in (("docs.jsonl", docs), ("topics.jsonl", topics)):
        (home / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    (home / "qrels.txt").write_text("".join(f"t{i} 0 {i}.{lang} 1\n" for i in range(3) for lang in words))
    return home


def suite(folder, **changes):
    settings = {"measures": ("Success@1", "share_same@10"), "by": ("query_lang", "pair"), "k": 10, **changes}
    systems = (System("words", recipe="bm25"), System("again", recipe="bm25", depth=5))
    return Suite("tiny", "Tiny", (str(folder),), systems, **settings)


def test_a_suite_is_indexed_searched_scored_and_kept(tmp_path, folder):
    results, runs = tmp_path / "results" / "r.jsonl", tmp_path / "runs"
    options = SuiteOptions(results=results, runs=runs, threads=1, clock=lambda: NOW)
    rows = run_suite(suite(folder), options)
    assert [(row["collection"], row["system"]) for row in rows] == [("tiny", "words"), ("tiny", "again")]
    row = rows[0]
    assert row["measures"]["Success@1"] == 1.0
    assert row["by"]["pair"]["de-de"]["Success@1"] == 1.0
    assert row["by"]["query_lang"].keys() == {"de", "fr"}
    assert (row["topics"], row["documents"], row["recipe"]) == (6, 6, "bm25")
    assert row["date"] == "2026-01-02T03:04:05+00:00"
    assert row["threads"] == 1
    assert row["index_bytes"] > 0
    assert row["ms_per_query"] > 0
    assert {"python", "numpy"} <= row["versions"].keys()
    assert read_rows(results) == json.loads(json.dumps(rows))
    assert sorted(path.name for path in runs.iterdir()) == ["tiny.tiny.again.txt", "tiny.tiny.words.txt"]
    assert (runs / "tiny.tiny.words.txt").read_text().startswith("t0@de Q0 0.de 1 ")


def test_one_language_of_topics_and_one_system(folder):
    rows = run_suite(suite(folder, topic_langs=("de",)), SuiteOptions(systems=("again",)))
    assert [row["system"] for row in rows] == ["again"]
    assert rows[0]["topics"] == 3
    assert rows[0]["by"]["query_lang"].keys() == {"de"}


def test_a_sample_takes_every_nth_topic_in_all_its_wordings():
    topics = [Topic(f"t{i}", "?", lang) for lang in ("de", "fr") for i in range(10)]
    assert [(t.id, t.lang) for t in sampled(topics, 7)] == [
        (f"t{i}", lang) for lang in ("de", "fr") for i in (0, 3, 6, 9)
    ]  # 20 wordings, 7 wanted: every third topic
    assert sampled(topics, 0) == sampled(topics, 500) == topics
    assert sampled([], 5) == []


def test_means_over_pairs_leave_out_scripts_of_one_language():
    pairs = {"de-de": 0.9, "zh-Hant-zh-Hant": 0.5, "zh-Hant-zh": 0.1, "de-zh-Hant": 0.2, "zh-Hant-de": 0.4}
    means = pair_means({name: {"nDCG@10": value} for name, value in pairs.items()})
    assert means["same"] == {"pairs": 2, "nDCG@10": pytest.approx(0.7)}
    assert means["cross"] == {"pairs": 2, "nDCG@10": pytest.approx(0.3)}


def test_rows_of_speed_stand_beside_scores(tmp_path):
    (tmp_path / "engine.jsonl").write_text('{"bench": "engine"}\n')
    with pytest.raises(BadInput, match="no results"):
        read_results(tmp_path)
    (tmp_path / "a.jsonl").write_text(json.dumps(row("old", 0.1)) + "\n" + json.dumps(row("old", 0.3)) + "\n")
    (tmp_path / "peers.jsonl").write_text(json.dumps(row("peer", 0.2)) + "\n")
    found = read_results(tmp_path)
    assert [(one["system"], one["measures"]["nDCG@10"]) for one in found] == [("old", 0.3), ("peer", 0.2)]
    assert "| c\\|1 | peer | – | – | 0.200 | – | 2.0 |" in summary(found)


def test_the_overview_has_a_line_for_each_system_the_best_last():
    def scored(collection, system, same, cross, mixed):
        pairs = {"same": {"nDCG@10": same}, "cross": {"nDCG@10": cross}}
        return {"collection": collection, "system": system, "measures": {"nDCG@10": mixed}, "pairs": pairs}

    rows = [
        scored("a", "best", 0.9, 0.8, 0.7),
        scored("a", "words", 0.5, 0.1, 0.2),
        scored("b", "words", 0.6, 0.0, 0.3),
        scored("b", "best", 1.0, 0.85, 0.6),
        scored("a", "tried on one", 0.5, 0.5, 0.5),
    ]
    assert overview(rows).splitlines()[2:] == [
        "| words | .500 · .100 · .200 | .600 · .000 · .300 |",
        "| best | .900 · .800 · .700 | 1.000 · .850 · .600 |",
    ]
    assert overview(rows[:2]).splitlines()[2:] == ["| words | .500 · .100 · .200 |", "| best | .900 · .800 · .700 |"]


def test_what_a_suite_lacks_is_named(tmp_path, folder):
    with pytest.raises(UsageError, match="no such system in tiny: it has words, again"):
        run_suite(suite(folder), SuiteOptions(systems=("other",)))
    with pytest.raises(BadInput, match="no judged topics in fa"):
        run_suite(suite(folder, topic_langs=("fa",)))
    with pytest.raises(UsageError, match="did you mean 'hc4'"):
        load_suite("hc44")
    with pytest.raises(BadInput, match=r"hc4-fa: the qrels are not there .*HC4"):
        run_suite("hc4", SuiteOptions(root=tmp_path))


def test_suites_that_ship_are_read():
    assert {"demo", "parallel", "hc4", "neuclir", "clef", "miracl"} <= known_suites().keys()
    for name in known_suites():
        assert load_suite(name).name == name


@pytest.mark.parametrize("text", ["nonsense", 'name = "x"', 'name="x"\ntitle="x"\ncollections=["demo"]\nsystems=[{}]'])
def test_a_file_that_is_no_suite(tmp_path, text):
    path = tmp_path / "s.toml"
    path.write_text(text)
    with pytest.raises(BadInput, match=r"s\.toml: no suite"):
        load_suite(path)


def row(system, value, **more):
    by = {"query_lang": {"de": {"nDCG@10": value}}, "pair": {"de-fa": {"nDCG@10": value}}}
    measures = {"nDCG@10": value}
    return {
        "collection": "c|1",
        "system": system,
        "measures": measures,
        "topics": 3,
        "ms_per_query": 2.0,
        "by": by,
        **more,
    }


def test_markdown():
    intervals = {"measures": {"nDCG@10": [0.1, 0.2]}, "by": {}}
    text = markdown([row("a", 0.1), row("a", 0.5, index_bytes=2_000_000), row("b|c", 0.25, intervals=intervals)])
    lines = text.splitlines()
    assert "| a | **0.500** | 2.0 | 2.0 |" in lines
    assert "| b\\|c | 0.250 (0.100–0.200) | 2.0 | – |" in lines
    assert "| de | 0.500 | 0.250 |" in lines
    assert "| de-fa | 0.500 | 0.250 |" in lines
    assert len(latest([row("a", 0.1), row("a", 0.5)])) == 1


def test_plots(tmp_path):
    pytest.importorskip("matplotlib")
    made = plot_all([row("a", 0.5), row("b", 0.25)], tmp_path, "nDCG@10")
    assert [path.name for path in made] == [
        "c|1.latency.png", "c|1.query_lang.png", "c|1.pairs.png",
    ]  # fmt: skip
    first = [path.read_bytes() for path in made]
    assert all(data.startswith(b"\x89PNG") and len(data) < 100_000 for data in first)
    assert [path.read_bytes() for path in plot_all([row("a", 0.5), row("b", 0.25)], tmp_path, "nDCG@10")] == first
    with pytest.raises(UsageError, match="no result has the measure 'AP'"):
        plot_all([row("a", 0.5)], tmp_path, "AP")


def test_a_map_of_pairs_draws_what_the_pairs_hold(tmp_path):
    pytest.importorskip("matplotlib")

    def drawn(pairs):
        made = plot_all([row("a", 0.5, by={"pair": pairs})], tmp_path, "nDCG@10")
        return {path.name: path.read_bytes() for path in made}.get("c|1.pairs.png")

    assert drawn({"de-fa": {"Success@1": 0.25}}) != drawn({"de-fa": {"Success@1": 0.75}})
    assert drawn({"de-fa": {}}) is None


@pytest.mark.parametrize("text", ["x", "[]", "{}"])
def test_results_that_are_none(tmp_path, text):
    path = Path(tmp_path / "r.jsonl")
    path.write_text(json.dumps(row("a", 1.0)) + "\n" + text + "\n")
    with pytest.raises(BadInput, match=r"r\.jsonl:2: no result"):
        read_rows(path)


def test_a_suite_held_against_its_rows_of_before(folder):
    before = run_suite(suite(folder), SuiteOptions(confidence=False))
    assert row_regressions(before, before) == []
    higher = json.loads(json.dumps(before))
    higher[0]["by"]["query_lang"]["fr"]["Success@1"] = 1.5
    higher[0]["measures"]["share_same@10"] = 0.0
    (fallen,) = row_regressions(before, higher)
    assert (fallen.where, fallen.expected, fallen.found) == ("tiny words query_lang fr Success@1", 1.5, 1.0)
    del before[0]["by"]["query_lang"]["fr"]
    assert {one.found for one in row_regressions(before, higher)} == {None}


def test_all_that_is_missing_is_said_before_anything_is_indexed(tmp_path, folder):
    (tmp_path / "empty").mkdir()
    both = Suite("two", "Two", (str(folder), str(tmp_path / "empty")), (System("words", recipe="bm25"),))
    with pytest.raises(BadInput, match="empty: the docs are not there") as error:
        run_suite(both)
    assert "empty: the qrels are not there" in str(error.value)
    (row,) = run_suite(both, SuiteOptions(collections=(str(folder),), confidence=False))
    assert row["collection"] == "tiny"
    with pytest.raises(UsageError, match="no such collection in two"):
        run_suite(both, SuiteOptions(collections=("other",)))


def test_a_collection_of_answers(tmp_path, folder):
    pytest.importorskip("nltk")
    (folder / "c.toml").write_text("""
name = "asked"
title = "Asked"
measures = ["R@2kt", "Answer@1"]
[parts]
docs = "docs.jsonl"
topics = "topics.jsonl"
answers = "answers.jsonl"
""")
    lines = [{"id": "t0", "answers": ["pollen", "Pollen"]}, {"id": "t1", "answers": ["Marmor"]}]
    (folder / "answers.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (row,) = run_suite(suite(folder, measures=(), by=("query_lang",)), SuiteOptions(systems=("words",)))
    assert row["topics"] == 4  # two topics with answers, two wordings each
    assert row["measures"] == {"R@2kt": 0.5, "Answer@1": 0.5}
    assert row["macro"]["query_lang"] == {"R@2kt": 0.5, "Answer@1": 0.5}


def test_candidates_are_ranked_among_themselves(tmp_path, folder):
    (folder / "c.toml").write_text("""
name = "few"
title = "Few"
candidates = true
[parts]
docs = "docs.jsonl"
topics = "topics.jsonl"
qrels = "qrels.txt"
""")
    (folder / "qrels.txt").write_text("t0 0 1.de 0\nt0 0 0.de 1\n")
    (row,) = run_suite(suite(folder, measures=("Judged@10",)), SuiteOptions(systems=("words",)))
    assert row["measures"]["Judged@10"] == 0.5  # the French wording finds neither candidate


def test_figures_of_others_beside_ours():
    published = (
        Published("BM25", "a paper", {"c|1": {"nDCG@10": 0.25, "AP": 0.2}}, "de"),
        Published("mean", "another", {"*": {"nDCG@10": 0.3}}),
        Published("by language", "a third", {"c|1": {"nDCG@10": 0.4}}, "each"),
    )
    found = Suite("s", "S", ("c|1",), (System("a"), System("b")), published=published)
    rows = [row("a", 0.5, macro={"query_lang": {"nDCG@10": 0.75}})]
    lines = published_section(found, rows).splitlines()
    assert "| c\\|1 | de | BM25 | 0.250 | 0.200 | a paper |" in lines
    assert "| c\\|1 | de | **xsearch a** | 0.500 | – | here |" in lines
    assert "| c\\|1 | de | **xsearch b** | – | – | not run |" in lines
    assert "| c\\|1 | each | **xsearch a** | 0.750 | – | here |" in lines
    assert "| mean of 1 | all | **xsearch a** | 0.500 | – | here |" in lines


def test_published_figures_that_ship_are_of_known_collections_and_measures():
    names = known_collections()
    for found in map(load_suite, known_suites()):
        assert set(found.collections) <= names.keys()
        for one in found.published:
            assert set(one.figures) <= {*found.collections, "*"}, found.name
            values = [value for figures in one.figures.values() for value in figures.values()]
            assert values
            assert all(0 < value < 1 for value in values)
            parse_measures(measure for figures in one.figures.values() for measure in figures)


@pytest.mark.parametrize("name", ["demo", "parallel", "hc4", "neuclir", "clef", "miracl", "xor-retrieve"])
def test_suites_ask_words_vectors_and_both_fusions(name):
    assert {system.name for system in load_suite(name).systems} >= {"bm25", "dense", "hybrid-rrf", "hybrid"}


def test_a_system_may_rerank(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(known, "KINDS", {"reranker-toy": "doubles.toy_rerankers:shortest_first"})
    card = tmp_path / "toy.toml"
    card.write_text('name = "shortest"\nkind = "reranker-toy"\nfingerprint = "f1"\n')
    systems = (System("words", "bm25"), System("short", "bm25", rerank=str(card), rerank_depth=2))
    few = Suite("tiny", "Tiny", (str(folder),), systems, ("Success@1",), k=10)
    plain, reranked = run_suite(few, SuiteOptions(confidence=False, runs=tmp_path, threads=1))
    assert "rerank" not in plain
    assert (reranked["rerank"], reranked["rerank_depth"]) == ("shortest f1", 2)
    (run,) = tmp_path.glob("tiny.*.short.txt")
    scores = {fields[2]: float(fields[4]) for fields in map(str.split, run.read_text().splitlines())}
    # The toy's score is the length of the text, below 0.
    assert scores["0.de"] == -len(SUBJECTS["de"][0])


def test_rank_fusion_runs_on_the_demo(tmp_path):
    few = Suite("demo", "Demo", ("demo",), (System("hybrid-rrf", fusion="rrf"),), ("nDCG@10",), k=20, sample=20)
    (row,) = run_suite(few, SuiteOptions(threads=1, confidence=False))
    assert row["fusion"] == "rrf"
    assert row["measures"]["nDCG@10"] > 0.1


def test_a_recipe_that_says_so_is_augmented_in_the_topics_languages(tmp_path, folder):
    recipe = tmp_path / "augmented.toml"
    recipe.write_text('name = "augmented"\nretrievers = ["bm25"]\n[augment]\ngenerator = "lexical"\n')
    systems = (System("words", recipe="bm25"), System("asked", recipe=str(recipe)))
    words, asked = run_suite(
        Suite("tiny", "Tiny", (str(folder),), systems, ("Success@1",), by=("pair",), k=10),
        SuiteOptions(confidence=False),
    )
    found = [row["by"]["pair"]["fr-de"]["Success@1"] for row in (words, asked)]
    assert found[0] == 0
    assert found[1] > 0
