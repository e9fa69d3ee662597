"""Reranking within a search: depth, passages of a document, what is explained, runs, bad input."""

import json
from itertools import pairwise

import pytest
from doubles.toy_rerankers import Toy, ToyList
from typer.testing import CliRunner

import xsearch
from xsearch.cli.app import app
from xsearch.core import BadInput, Topic, UsageError
from xsearch.engine import SearchOptions
from xsearch.engine.runs import resume_run
from xsearch.rank.rerank import RerankerCard, known

WORDS = ["river", "bridge", "water", "stone", "boat", "harbour"]


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    """Twelve documents of a river; document i says it once among i other words."""
    made = xsearch.create(tmp_path_factory.mktemp("rerank") / "idx", recipe="bm25")
    with made.writer() as writer:
        for i in range(12):
            text = " ".join(["river", *(WORDS[k % 5 + 1] for k in range(i))]) + "."
            writer.add(xsearch.Document(f"d{i:02d}", text, title=f"Title {i}", lang="en"))
        long = " ".join(f"The river and its {WORDS[n % 5 + 1]} number {n} are old and wide." for n in range(60))
        writer.add(xsearch.Document("long", f"{long} The lighthouse of the river.", lang="en"))
    return made


def ids(hits):
    return [hit.id for hit in hits]


def number(query, passage):
    return float(passage.document[1:]) if passage.document != "long" else -1.0


def test_the_best_are_ordered_by_the_reranker_and_the_rest_stays(index):
    plain = ids(index.search("river", k=13))
    toy = Toy(number)
    found = ids(index.search("river", k=13, rerank=toy, rerank_depth=5))
    assert found[:5] == sorted(plain[:5], key=lambda id: -float(id[1:]) if id != "long" else 1)
    assert found[5:] == plain[5:]
    assert toy.asked == [plain[:5]]


def test_scores_descend_over_the_seam(index):
    scores = [hit.score for hit in index.search("river", k=13, rerank=Toy(number), rerank_depth=5)]
    assert all(a > b for a, b in pairwise(scores[:6]))
    assert scores == sorted(scores, reverse=True)


def test_more_are_reranked_than_shown_and_depth_is_the_cards(index):
    plain = ids(index.search("river", k=13))
    toy = Toy(number, RerankerCard("toy", "reranker-toy", depth=8))
    found = ids(index.search("river", k=2, rerank=toy))
    assert len(toy.asked[0]) == 8
    assert found == sorted((id for id in plain[:8] if id != "long"), reverse=True)[:2]


def test_a_candidate_carries_what_a_reranker_may_want(index):
    seen = {}
    index.search("river", k=3, rerank=Toy(lambda query, p: seen.setdefault(p.document, p) and 0.0))
    candidate = seen["d03"]
    assert (candidate.lang, candidate.title, candidate.text) == ("en", "Title 3", "river bridge water stone.")
    assert candidate.ranks.keys() == candidate.scores.keys() == {"bm25"}
    hit = next(h for h in index.search("river", k=13, explain=True) if h.id == "d03")
    assert candidate.score == pytest.approx(hit.score)
    assert candidate.scores["bm25"] == pytest.approx(hit.explain[0].calibrated)
    assert candidate.ranks["bm25"] == hit.explain[0].rank


def test_a_document_is_as_good_as_its_best_passage(index):
    def lighthouse(query, passage):
        return float("lighthouse" in passage.text)

    toy = Toy(lighthouse)
    one = index.search("river", k=13, rerank=toy, rerank_depth=13)
    assert {hit.score for hit in one} == {0.0}
    best = index.search("river", k=13, rerank=toy, rerank_depth=13, rerank_passages=10)[0]
    assert (best.id, best.score) == ("long", 1.0)
    assert "lighthouse" in best.text
    # The first passages of all documents come before any second one.
    assert sorted(set(toy.asked[1][:13])) == sorted(ids(one))
    assert set(toy.asked[1][13:]) == {"long"}


def test_explained_hits_tell_both_ranks_and_the_score(index):
    plain = ids(index.search("river", k=13))
    hits = index.search("river", k=13, rerank=Toy(number), rerank_depth=5, explain=True)
    for hit in hits:
        part = hit.rerank
        assert (part.reranker, part.after, part.before) == ("toy", hit.rank, plain.index(hit.id) + 1)
        assert part.score == (None if hit.rank > 5 else number(None, type("P", (), {"document": hit.id})))
    assert index.search("river", explain=True)[0].rerank is None


def test_a_share_of_every_language_is_taken_from_the_new_order(index):
    found = index.search("river", k=4, rerank=Toy(number), rerank_depth=13, balance=True)
    assert ids(found) == ["d11", "d10", "d09", "d08"]


def test_a_budget_that_was_too_small_is_said(index):
    toy = Toy(number)
    _, found = index.find("river", SearchOptions(13, rerank=toy, rerank_budget=1e-9))
    assert not found.reranked.complete
    assert found.reranked.done == 4
    assert any("4 of 13 documents reranked" in note for note in found.notes)
    assert index.rerankers.counts["reranked in part, the time was over"] >= 1
    # One that orders lists has a place for every document from its first pass on: its passes count.
    _, found = index.find("river", SearchOptions(13, rerank=ToyList(number), rerank_budget=1e-9))
    assert not found.reranked.complete
    assert found.notes[0].startswith("1 of 13 passes over 13 documents done in ")
    # A reranker that orders the list in one pass is late, but has done all.
    one_pass = ToyList(number)
    one_pass.improve = lambda query, passages: iter([one_pass.score(query, passages)])
    one_pass.passes = lambda count: 1
    _, found = index.find("river", SearchOptions(13, rerank=one_pass, rerank_budget=1e-9))
    assert found.reranked.complete
    assert any(note.startswith("reranked in") and "longer than the 1e-06 ms given" in note for note in found.notes)


def test_nothing_found_is_nothing_reranked(index):
    toy = Toy(number)
    assert index.search("zzzz", rerank=toy) == []
    assert toy.asked == []


@pytest.mark.parametrize(
    "options", [{"rerank_depth": 0}, {"rerank_passages": 0}, {"rerank_budget": 0.0}, {"rerank": "no such reranker"}]
)
def test_senseless_options_are_refused(index, options):
    with pytest.raises(UsageError):
        index.search("river", **{"rerank": Toy(number), **options})


@pytest.fixture
def card(tmp_path, monkeypatch):
    monkeypatch.setattr(known, "KINDS", {"reranker-toy": "doubles.toy_rerankers:shortest_first"})
    path = tmp_path / "toy.toml"
    path.write_text('name = "shortest"\nkind = "reranker-toy"\ndepth = 6\nfingerprint = "one"\n')
    return path


def test_a_run_is_reranked_and_resumes_only_with_the_same_reranker(index, card, tmp_path):
    topics = [Topic("1", "river boat"), Topic("2", "old stone")]
    output = tmp_path / "run.txt"
    resume_run(index, topics, output, 10, {"rerank": str(card)})
    rows = [line.split() for line in output.read_text().splitlines()]
    want = [(t.id, hit.id) for t in topics for hit in index.search(t.text, 10, rerank=card)]
    assert [(row[0], row[2]) for row in rows] == want
    with_one = xsearch.open(index.path)
    from xsearch.engine.runs import part_settings

    first = part_settings(with_one, 10, {"rerank": str(card)})
    card.write_text(card.read_text().replace('"one"', '"two"'))
    assert part_settings(xsearch.open(index.path), 10, {"rerank": str(card)}) != first


def test_the_command_line_reranks_and_says_what_it_did(index, card):
    asked = ["query", "river", "-i", str(index.path), "--rerank", str(card), "-k", "3"]

    def run(*arguments):
        return CliRunner().invoke(app, arguments, catch_exceptions=False)

    record = json.loads(run(*asked, "--explain", "--format", "json").stdout)
    assert record["rerank"].items() >= {"reranker": "shortest", "documents": 6, "reranked": 6, "complete": True}.items()
    assert [hit["rerank"]["after"] for hit in record["hits"]] == [1, 2, 3]
    assert [hit["id"] for hit in record["hits"]] == ["d00", "d01", "d02"]
    table = run(*asked, "--explain").stdout
    assert "shortest: rank" in table
    cut = run(*asked, "--rerank-budget", "0.001ms")
    assert "4 of 6 documents reranked" in cut.stderr
    assert "rerank" not in json.loads(run(*asked[:-4], "--rerank", "none", "--format", "json").stdout)


def test_a_recipe_may_name_a_reranker(card, tmp_path):
    recipe = tmp_path / "own.toml"
    recipe.write_text(f'name = "own"\nretrievers = ["bm25"]\n[rerank]\nreranker = "{card}"\ndepth = 2\n')
    made = xsearch.create(tmp_path / "idx", recipe=recipe)
    with made.writer() as writer:
        writer.add(xsearch.Document("long", "river river river bank", lang="en"))
        writer.add(xsearch.Document("short", "river", lang="en"))
    assert ids(made.search("river")) == ["short", "long"]
    hits = made.search("river", explain=True, rerank="none")
    assert hits[0].rerank is None
    recipe.write_text('name = "own"\n[rerank]\npassages = 0\n')
    with pytest.raises(BadInput, match=r"rerank\.passages"):
        xsearch.create(tmp_path / "idx2", recipe=recipe)
