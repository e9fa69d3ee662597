"""Lucene as a retriever of an index: commits, deletions, filters, compaction, the recipe, and an index without it."""

import pytest
from doubles.engine_model import apply, create, observed, problems

import xsearch
from xsearch.core import BadInput, Document, MissingExtra
from xsearch.engine import Recipe, compact, load_recipe
from xsearch.engine.recipe import parse_recipe
from xsearch.retrieve.lucene_process import INTERPRETER
from xsearch.storage import check_index

java = pytest.mark.java


@java
def test_lucene_follows_the_model_through_commits_and_compaction(tmp_path):
    folder = tmp_path / "idx"
    index = create(folder, "lucene")
    for commit in (1, 2, 3):
        with index.writer() as writer:
            apply(writer, commit)
    assert problems(observed(index), [3]) == ""
    compact(folder)
    index.refresh()
    assert problems(observed(index), [3]) == ""
    with index.writer() as writer:
        apply(writer, 4)
    assert problems(observed(index), [4]) == ""
    assert [p for p in check_index(folder) if p.level == "error"] == []


@java
def test_each_language_has_its_analyzer_and_a_filter_costs_no_hit(tmp_path):
    recipe = Recipe("lucene", retrievers=("lucene",))
    index = xsearch.create(tmp_path / "idx", recipe)
    with index.writer() as writer:
        writer.add(Document("de", "Die Häuser der Stadt.", lang="de", metadata={"year": 1}))
        writer.add(Document("fr", "Les maisons brûlaient.", title="Incendie", lang="fr", metadata={"year": 2}))
        writer.add(Document("sw", "Nyumba za mji ziliungua.", lang="sw", metadata={"year": 3}))

    def found(text: str, lang: str, **options: str) -> list[str]:
        return [hit.id for hit in index.search(text, lang=lang, **options)]

    # Stems: of Lucene's German and French, and for Swahili the parts of words that our analyzer has.
    assert found("Haus", "de") == ["de"]
    assert found("maison incendies", "fr") == ["fr"]
    assert found("nyumbani", "sw") == ["sw"]
    assert found('"der Stadt"', "de") == ["de"]
    assert found("maison", "fr", filter="year < 2") == []
    assert found("maison", "fr", filter="year >= 2") == ["fr"]


def test_the_recipe_says_how_lucene_scores():
    recipe = load_recipe("lucene")
    assert (recipe.lucene.k1, recipe.lucene.b, recipe.lucene.rm3) == (0.9, 0.4, None)
    text = 'name = "x"\nretrievers = ["lucene"]\n[lucene]\n'
    feedback = parse_recipe(text + "k1 = 2\n[lucene.rm3]\nterms = 20\n", "x.toml").lucene.rm3
    assert feedback is not None
    assert (feedback.docs, feedback.terms, feedback.weight) == (10, 20, 0.5)
    for wrong in ("k1 = -1", "b = 1.5", "k1 = nan", "rm3 = true", "[lucene.rm3]\ndocs = 0", "[lucene.rm3]\nweight = 2"):
        with pytest.raises(BadInput, match=r"x\.toml"):
            parse_recipe(text + wrong, "x.toml")


def test_without_lucene_nothing_is_written_and_the_message_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv(INTERPRETER, str(tmp_path / "no python"))
    index = xsearch.create(tmp_path / "idx", Recipe("words", retrievers=("bm25", "lucene")))
    with pytest.raises(MissingExtra, match=INTERPRETER), index.writer() as writer:
        writer.add(Document("1", "text", lang="en"))
    assert xsearch.open(tmp_path / "idx").manifest.commit == 0
    # Others are asked without it.
    assert index.search("text", retrievers=["bm25"]) == []
