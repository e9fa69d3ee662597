"""All recipes behind what ships, end to end by one command, on an invented language pair."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from xsearch.cli.app import app
from xsearch.core import BadInput
from xsearch.core.data import data_path
from xsearch.encode import load_encoder
from xsearch.lang.translation import TranslationTables
from xsearch.train import load_recipe
from xsearch.train.align import load_tables_recipe
from xsearch.train.shipped import load_shipped_recipe, train_shipped
from xsearch.train.small_reranker import load_small_recipe

RECIPES = {
    "shipped": 'static = "vectors.toml"\ntables = "tables.toml"\nreranker = "reranker.toml"\n'
    '[spellings]\nlexicons = ["names.jsonl"]\nexclude = ["banned.txt"]\n'
    '[readings]\nlexicons = ["kanji.jsonl"]\nipadic = false\n',
    "vectors": 'name = "toy-vectors"\ngroup = 2\nwindow = 20\n[vocabulary]\nsize = 300\n[objective]\n'
    "dim = 16\nbatch = 64\n"
    'cycles = [{ steps = 20, learning_rate = 0.1 }]\n[[sources]]\nfiles = "rows.jsonl"\n',
    "tables": 'name = "toy-tables"\nlanguages = ["de"]\nleast_pairs = 50\n[[sources]]\nfiles = "rows.jsonl"\n',
    "reranker": 'name = "toy-reranker"\nencoder = "toy-vectors"\nversions = [1, 2]\n'
    '[[collections]]\nname = "all"\nfiles = ["guide.sections.jsonl"]\n',
}


@pytest.fixture
def made(tmp_path):
    rng = np.random.default_rng(1)
    syllables = [c + v for c in "bdfgklmnprstvz" for v in "aeiou"]
    words = {lang: ["".join(rng.choice(syllables, 3)) for _ in range(60)] for lang in ("en", "de")}

    def row(count):
        concepts = rng.choice(60, count, replace=False)
        return {lang: " ".join(words[lang][c] for c in concepts) for lang in words}

    rows = [row(6) for _ in range(900)]
    sections = [{"title": row(3), "text": row(30)} for _ in range(30)]
    for section in sections:
        section["text"] = {lang: f"{section['title'][lang]} {text}" for lang, text in section["text"].items()}
    names = [{"en": [f"Anton{a}ov"], "ru": [f"Антон{b}ов"]} for a, b in zip("aeiou", "аеиоу", strict=True)]
    data, recipes = tmp_path / "data", tmp_path / "recipes"
    for folder in (data, recipes):
        folder.mkdir()
    kanji = [{"ja": ["山川", "やまかわ"]}, {"ja": ["川上", "かわかみ"]}]
    for name, records in (("rows", rows), ("guide.sections", sections), ("names", names), ("kanji", kanji)):
        (data / f"{name}.jsonl").write_text("\n".join(json.dumps(record) for record in records))
    for name, text in RECIPES.items():
        (recipes / f"{name}.toml").write_text(text)
    (recipes / "banned.txt").write_text("Antonuov")
    return data, recipes / "shipped.toml", tmp_path / "out"


def test_one_command_makes_all_and_a_second_run_makes_nothing(made):
    data, recipe, out = made
    arguments = ["train", "shipped", "--data", str(data), "--recipe", str(recipe), "--out", str(out)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    encoder = load_encoder(out / "toy-vectors.toml")
    tables = TranslationTables.open(out / "toy-tables.tables")
    assert tables.vocabulary == encoder.vocabulary
    assert tables.supports("en", "de") > 0.9
    assert 'encoder = "toy-vectors"' in (out / "toy-reranker.toml").read_text()
    assert (out / "spellings.tsv").read_text().startswith("#")
    assert "山\tヤマ" in (out / "readings.tsv").read_text()
    assert (out / "japanese_words.tsv").is_file()
    files = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    (out / "spellings.tsv").unlink()
    seen = []
    made_again = train_shipped(recipe, data, out, on_progress=seen.append)
    assert [path.name for path in made_again] == [
        "toy-vectors.toml",
        "toy-tables.toml",
        "toy-reranker.toml",
        "spellings.tsv",
        "readings.tsv",
    ]
    assert [step.note for step in seen if step.note] == ["spellings.tsv …"]
    assert all(path.stat().st_mtime_ns == time for path, time in files.items() if path.name != "spellings.tsv")


def test_what_a_recipe_leads_to_has_to_be_there(made):
    data, recipe, out = made
    (recipe.parent / "banned.txt").unlink()
    with pytest.raises(BadInput, match=r"banned\.txt"):
        train_shipped(recipe, data, out)
    assert not out.exists()
    recipe.write_text("static = 3")
    with pytest.raises(BadInput, match=r"shipped\.toml"):
        load_shipped_recipe(recipe)


def test_the_recipe_that_ships_names_recipes_that_ship():
    path = data_path("encoders/recipes/shipped.toml")
    recipe = load_shipped_recipe(path)
    static = load_recipe(path.parent / recipe.static)
    tables = load_tables_recipe(path.parent / recipe.tables)
    reranker = load_small_recipe(path.parent / recipe.reranker)
    assert reranker.encoder == static.name
    shipped = {card.stem for card in data_path("encoders").glob("*.toml")}
    assert {static.name, tables.name, reranker.name} <= shipped
    assert all((path.parent / name).is_file() for name in recipe.spellings.exclude)
