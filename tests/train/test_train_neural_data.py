"""What neural retrievers are trained on: what is read, refused and drawn. Needs no torch."""

import json
from pathlib import Path

import numpy as np
import pytest

from xsearch.core import BadInput, UsageError
from xsearch.train.neural.pairs import read_pairs, shipped_evaluation
from xsearch.train.neural.reading import read_corpus
from xsearch.train.neural.recipe import NeuralRecipe, Schedule, adjusted, load_neural_recipe
from xsearch.train.recipe import Source
from xsearch.train.rows import read_records

ROWS = [{"en": f"the number {n}", "de": f"die Zahl {n}", "fr": f"le nombre {n}"} for n in range(300)]
SECTIONS = [{"title": {"en": f"Title {n}", "de": f"Titel {n}"}, "text": {"en": f"text {n}", "fr": f"texte {n}"}}
            for n in range(300)]  # fmt: skip
PAIRS = [{"query": f"what is {n}?", "query_lang": "en", "positive": f"das ist {n}", "positive_lang": "de",
          "negatives": [f"etwas {n}", f"quelque {n}"], "negative_langs": ["de", "fr"], "scores": [3.0, 1.0, 0.5]}
         for n in range(300)]  # fmt: skip


def write(folder, **files):
    for name, records in files.items():
        path = folder / f"{name}.jsonl"
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return folder


def corpus(folder, exclude=(), **files):
    return read_corpus(write(folder, **files), (Source("*.jsonl"),), exclude, 1)


def test_rows_sections_and_pairs_are_told_apart(tmp_path):
    read = corpus(tmp_path, a_pairs=PAIRS, b_rows=ROWS, c_sections=SECTIONS)
    assert (len(read.pairs), len(read.rows.texts), len(read.titles.texts)) == (300, 300, 300)
    assert read.languages == ["de", "en", "fr"]
    assert len(read.held_rows) == len(read.held_sections) == len(read.held_pairs) == 3
    for table, held in ((read.rows, read.held_rows), (read.titles, read.held_sections)):
        assert not set(table.draw(3000, np.random.default_rng(0))) & set(held)


def test_batches_hold_what_belongs_together(tmp_path):
    read = corpus(tmp_path, a_pairs=PAIRS, b_rows=ROWS, c_sections=SECTIONS)
    number = {text: text.split()[-1].rstrip("?") for row in (ROWS, PAIRS) for r in row for text in r.values()
              if isinstance(text, str)}  # fmt: skip
    drawn = read.parallel(40, 3, np.random.default_rng(1), pivot="de")
    assert [set(langs) for langs in zip(*(column.langs for column in drawn.columns), strict=True)] == [
        {"en", "de", "fr"}
    ] * 40
    assert set(drawn.columns[0].langs) == {"de"}
    for texts in zip(*(column.texts for column in drawn.columns), strict=True):
        assert len({number[text] for text in texts}) == 1
    ranked = read.ranked(60, 2, np.random.default_rng(1))
    for query, passage in zip(ranked.queries.texts, ranked.passages.texts, strict=False):
        assert query.split()[-1].rstrip("?") == passage.split()[-1]
    of_pairs = [n for n, group in enumerate(ranked.groups) if group < 0]
    assert 0 < len(of_pairs) < 60
    assert len(ranked.passages) == 60 + 2 * len(of_pairs)
    assert ranked.owners[60:] == (-1,) * (2 * len(of_pairs))
    assert ranked.owners[:60] == ranked.groups


def test_texts_are_those_of_all_files_but_what_is_kept_to_measure_with(tmp_path):
    read = corpus(tmp_path, a_pairs=PAIRS)
    drawn = read.texts(4000, np.random.default_rng(1)).texts
    held = {read.pairs[n].positive for n in read.held_pairs}
    assert set(drawn.texts) == {pair.positive for pair in read.pairs} - held
    assert set(drawn.langs) == {"de"}
    read = corpus(tmp_path, a_pairs=PAIRS, b_rows=ROWS, c_sections=SECTIONS)
    kinds = [text.split()[0] for text in read.texts(3000, np.random.default_rng(1)).texts.texts]
    passages, sections = kinds.count("das"), kinds.count("text") + kinds.count("texte")
    # As many of each: a third of 3,000, give or take five standard deviations.
    assert abs(passages - 1000) < 130
    assert abs(sections - 1000) < 130


def test_batches_depend_on_their_number_alone(tmp_path):
    one, other = (corpus(tmp_path, a_pairs=PAIRS, b_rows=ROWS) for _ in range(2))
    for seed in range(3):
        assert one.ranked(9, 1, np.random.default_rng(seed)) == other.ranked(9, 1, np.random.default_rng(seed))


def test_scores_stay_with_their_passages(tmp_path):
    read = corpus(tmp_path, a_pairs=[*PAIRS, {"query": "no", "positive": "scores"}], c_sections=SECTIONS)
    ranked = read.ranked(30, 2, np.random.default_rng(1), scored=True)
    assert len(ranked.candidates) == len(ranked.scores) == 30
    by_text = {"das": 3.0, "etwas": 1.0, "quelque": 0.5}
    for places, scores in zip(ranked.candidates, ranked.scores, strict=True):
        assert [by_text[ranked.passages.texts[place].split()[0]] for place in places] == list(scores)
    with pytest.raises(BadInput, match="scores of 3 negatives"):
        read.ranked(30, 3, np.random.default_rng(1), scored=True)


def test_evaluation_text_is_left_out_of_rows_and_refused_in_pairs(tmp_path):
    write(tmp_path, a_rows=ROWS)
    (tmp_path / "eval").mkdir()
    # The code of a language is no text.
    write(tmp_path / "eval", docs=[{"id": "1", "lang": "zahl", "text": "The number 7!\nsomething else"}])
    read = read_corpus(tmp_path, (Source("*.jsonl"),), ("eval/*.jsonl",), 1)
    assert read.excluded == 1
    assert "the number 7" not in read.rows.texts.texts
    assert "die Zahl 7" in read.rows.texts.texts
    write(tmp_path, b_pairs=[{"query": "Zahl", "positive": "x"}, {"query": "something ELSE", "positive": "x"}])
    with pytest.raises(BadInput, match=r"b_pairs.jsonl:2: this pair is evaluation text.*'something ELSE'$"):
        read_corpus(tmp_path, (Source("*.jsonl"),), ("eval/*.jsonl",), 1)
    write(tmp_path, b_pairs=[{"query": "x", "positive": "y", "negatives": ["a", "something else"]}] * 3)
    with pytest.raises(BadInput, match=r"b_pairs.jsonl:1: .*'something else'; 2 pairs after it too$"):
        read_corpus(tmp_path, (Source("*.jsonl"),), ("eval/*.jsonl",), 1)
    with pytest.raises(BadInput, match="no file matches 'evil/"):
        read_corpus(tmp_path, (Source("*.jsonl"),), ("evil/*.jsonl",), 1)


def test_files_named_on_the_command_line_take_the_place_of_the_recipes_list(tmp_path):
    write(tmp_path, a_rows=ROWS)
    (tmp_path / "elsewhere").mkdir()
    named = write(tmp_path / "elsewhere", docs=[{"id": "1", "text": "The number 7!"}]) / "docs.jsonl"
    recipe = adjusted(load_neural_recipe(Path("contrastive")), "dense", True, None, None, [named])
    assert read_corpus(tmp_path, (Source("*.jsonl"),), recipe.exclude, 1).excluded == 1
    gone = adjusted(load_neural_recipe(Path("contrastive")), "dense", True, None, None, [tmp_path / "gone.jsonl"])
    with pytest.raises(BadInput, match=r"no file matches '.*gone\.jsonl'.*--exclude FILE"):
        read_corpus(tmp_path, (Source("*.jsonl"),), gone.exclude, 1)


def test_the_collection_that_ships_is_evaluation_text_without_being_named(tmp_path):
    _, record = next(read_records(shipped_evaluation()[0]))
    with pytest.raises(BadInput, match="this pair is evaluation text"):
        corpus(tmp_path, pairs=[{"query": "x", "positive": record["text"]}])


def test_empty_and_one_language_data_are_said(tmp_path):
    with pytest.raises(BadInput, match="no file matches"):
        read_corpus(tmp_path, (Source("*.jsonl"),), (), 1)
    with pytest.raises(BadInput, match="nothing to train on in 1 file"):
        corpus(tmp_path, a=[])
    with pytest.raises(BadInput, match="nothing to train on"):
        corpus(tmp_path, a=[{"en": "alone"}])
    read = corpus(tmp_path, a=[{"query": "x", "positive": "y", "query_lang": "en", "positive_lang": "en"}])
    assert read.languages == ["en"]
    with pytest.raises(BadInput, match="hardly any rows in 2 languages"):
        read.parallel(4, 2, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"query": "x"}, "missing required field `positive`"),
        ({"query": "x", "positive": " "}, "not empty"),
        ({"query": "x", "positive": 3}, "Expected `str`"),
        ({"query": "x", "positive": "y", "negatives": ["z"], "negative_langs": []}, None),
        ({"query": "x", "positive": "y", "negatives": ["z"], "negative_langs": ["a", "b"]}, "as many as negatives"),
    ],
)
def test_bad_pairs_name_their_line(tmp_path, record, message):
    path = write(tmp_path, p=[PAIRS[0], record]) / "p.jsonl"
    if message is None:
        assert len(list(read_pairs(path))) == 2
        return
    with pytest.raises(BadInput, match=message) as error:
        list(read_pairs(path))
    assert "p.jsonl:2" in str(error.value)


def test_schedule_rises_and_falls():
    schedule = Schedule(steps=10, learning_rate=2.0, warmup=0.2)
    assert [schedule.rate(step) for step in range(10)] == pytest.approx(
        [1.0, 2.0, 2.0, 1.75, 1.5, 1.25, 1.0, 0.75, 0.5, 0.25]
    )
    assert Schedule(steps=100, average=3).averaged() == {80, 90, 100}
    assert Schedule(steps=3, average=0).averaged() == frozenset()


RECIPES = sorted(
    path
    for path in (Path(__file__).parents[2] / "encoders" / "recipes").glob("*.toml")
    if "[[stages]]" in path.read_text()
)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipes_that_ship_are_read_by_name(path):
    recipe = load_neural_recipe(Path(path.stem))
    assert isinstance(recipe, NeuralRecipe)
    assert recipe.name == path.stem
    assert recipe.paper
    assert recipe.exclude, "a recipe that ships names the evaluation files of its data"
    small = adjusted(recipe, recipe.model.kind, True, 5, 9)
    assert all(stage.schedule.steps == 5 for stage in small.stages)
    assert small.seed == 9


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("steps = 20000", "steps = 0"), "steps and accumulate must be at least 1"),
        (('kind = "dense"', 'kind = "thick"'), "model.kind must be one of"),
        (('objective = "contrastive"', 'objective = "guessing"'), "guessing"),
        (("temperature", "temprature"), "temprature"),
        (("both = true", "flops_queries = 1.0"), "for sparse encoders"),
        (("batch = 128", "batch = 1"), "batch must be at least 2"),
    ],
)
def test_impossible_recipes_are_refused(tmp_path, change, message):
    text = (Path(__file__).parents[2] / "encoders" / "recipes" / "contrastive.toml").read_text()
    assert change[0] in text
    path = tmp_path / "r.toml"
    path.write_text(text.replace(*change))
    with pytest.raises(BadInput, match=message):
        load_neural_recipe(path)


@pytest.mark.parametrize("added", ["extension = { words = 5 }", 'tuning = { method = "prompt" }'])
def test_a_teacher_knows_no_words_that_are_added(tmp_path, added):
    text = (Path(__file__).parents[2] / "encoders" / "recipes" / "bistil.toml").read_text()
    path = tmp_path / "r.toml"
    path.write_text(text.replace("[model]", f"[model]\n{added}"))
    with pytest.raises(BadInput, match="compares with the network as it was"):
        load_neural_recipe(path)


def test_a_recipe_of_another_kind_names_its_command():
    with pytest.raises(UsageError, match="xsearch train encoder"):
        adjusted(load_neural_recipe(Path("contrastive")), "sparse", False, None, None)
    with pytest.raises(BadInput, match=r"no such recipe: .* those that ship: .*contrastive"):
        load_neural_recipe(Path("contrastiv"))
