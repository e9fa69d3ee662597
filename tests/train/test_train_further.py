"""Training on top of an encoder: what it adds to the vocabulary, where new words begin, and that the rest stays."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import xsearch
from xsearch.cli.app import main
from xsearch.core import BadInput, UsageError
from xsearch.encode import load_encoder, read_card
from xsearch.encode.codes import CodedRows
from xsearch.encode.unigram import START, Unigram
from xsearch.engine.tables import find_tables
from xsearch.lang.translation import TranslationTables
from xsearch.train import fitting, load_recipe, train_static
from xsearch.train.align import TablesCard, load_tables_recipe, train_tables
from xsearch.train.align.further import BaseTables, base_card, joined
from xsearch.train.align.pruning import JointCounts
from xsearch.train.align.recipe import Pruning
from xsearch.train.align.recipe import overridden as overridden_tables
from xsearch.train.evaluate_static import tatoeba_accuracy
from xsearch.train.extension import extended, extended_rows
from xsearch.train.further import coded_further, further_start
from xsearch.train.recipe import Extension, Further, Source, overridden
from xsearch.train.rows import read_parallel
from xsearch.train.translated import PieceTable

BASE = """
name = "tiny"
group = 2
window = 6
licence = "CC-BY-SA-4.0"
[vocabulary]
size = 400
[sampling]
section_share = 0.0
context_share = 0.0
[objective]
dim = 32
batch = 128
cycles = [{ steps = 150, learning_rate = 0.1, last = 0.2 }]
[[sources]]
files = "base/*.jsonl"
licence = "CC0"
"""
FURTHER = """
name = "more"
[further]
base = "BASE"
known_rate = 0.05
[sampling]
section_share = 0.0
[objective]
batch = 128
cycles = [{ steps = 80, learning_rate = 0.1, last = 0.2 }]
"""


def lexicons(rng):
    """Sixty concepts in four languages: war is written in the letters of the known ones, nqo in others."""
    syllables = [c + v for c in "bdfgklmnprstvz" for v in "aeiou"]
    words = {lang: ["".join(rng.choice(syllables, 3)) for _ in range(60)] for lang in ("en", "de", "war", "nqo")}
    words["nqo"] = ["".join(chr(0x7CA + ord(c) - ord("a")) for c in word) for word in words["nqo"]]
    return words


def rows(words, langs, count, rng):
    found = []
    for _ in range(count):
        concepts = rng.choice(60, 6, replace=False)
        found.append({lang: " ".join(words[lang][c] for c in rng.permutation(concepts)) for lang in langs})
    return found


def tsv(records):
    langs = list(records[0])
    return "\n".join("\t".join(cells) for cells in [langs, *([row[lang] for lang in langs] for row in records)]) + "\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A base that knows en and de, and text of two more languages: in JSON lines and in a table."""
    folder = tmp_path_factory.mktemp("further")
    rng = np.random.default_rng(1)
    words = lexicons(rng)
    (folder / "base").mkdir()
    (folder / "mine").mkdir()
    base = rows(words, ("en", "de"), 1200, rng)
    (folder / "base/rows.jsonl").write_text("\n".join(json.dumps(row) for row in base))
    (folder / "mine/rows.jsonl").write_text("\n".join(json.dumps(r) for r in rows(words, ("en", "war"), 500, rng)))
    (folder / "mine/more.tsv").write_text(tsv(rows(words, ("nqo", "en"), 500, rng)))
    (folder / "base.toml").write_text(BASE)
    (folder / "further.toml").write_text(FURTHER.replace("BASE", str(folder / "out/tiny.toml")))
    train_static(load_recipe(folder / "base.toml"), folder, folder / "out")
    card = train_static(load_recipe(folder / "further.toml"), folder / "mine", folder / "out")
    test = rows(words, ("en", "de", "war", "nqo"), 100, rng)
    return folder, card, test


def accuracy(encoder, test):
    pairs = [{"lang": lang, "text": row[lang], "en": row["en"]} for row in test for lang in ("de", "war", "nqo")]
    return tatoeba_accuracy(encoder, pairs)


def test_new_languages_are_learnt_and_known_ones_stay(made):
    folder, _, test = made
    before, after = (accuracy(load_encoder(folder / f"out/{name}.toml"), test) for name in ("tiny", "more"))
    assert before["de"] > 0.9
    assert max(before["war"], before["nqo"]) < 0.2
    assert min(after["war"], after["nqo"]) > 0.9
    assert after["de"] > before["de"] - 0.03


def test_pieces_keep_their_numbers_and_untouched_ones_their_codes(made):
    folder, card, _ = made
    base, more = (load_encoder(folder / f"out/{name}.toml") for name in ("tiny", "more"))
    known = len(base.inventory)
    assert list(more.inventory[:known]) == list(base.inventory)
    assert card.vocabulary == len(more.inventory) > known + 60
    text = [cell for line in (folder / "mine/more.tsv").read_text().splitlines()[1:] for cell in line.split("\t")]
    for line in (folder / "mine/rows.jsonl").read_text().splitlines():
        row = json.loads(line)
        text += row.values()
        assert {START + word for word in row["war"].split()} <= {piece for piece, _ in more.inventory}
    seen = np.isin(np.arange(known), more.token_bags(text).tokens)
    assert 0 < seen.sum() < known
    same = (more.table.codes[:known] == base.table.codes).all(axis=1) & (more.table.scales[:known] == base.table.scales)
    assert same[~seen].all()
    assert np.array_equal(more.table.codebook, base.table.codebook)


def test_card_names_the_base_and_carries_its_licence_sources_and_languages(made):
    folder, card, _ = made
    base = read_card(folder / "out/tiny.toml")
    assert read_card(folder / "out/more.toml") == card
    assert card.base == f"tiny {base.fingerprint}"
    assert card.licence == "CC-BY-SA-4.0"
    assert card.extends == (load_encoder(folder / "out/tiny.toml").vocabulary,)
    assert [source.name for source in card.sources] == ["base/rows.jsonl", "more.tsv", "rows.jsonl"]
    assert card.sources[0].licence == "CC0"
    assert set(card.languages) == {"de", "en", "nqo", "war"}
    assert card.languages["de"] == base.languages["de"]
    assert card.languages["war"] == card.scores["war, rows kept from training"] > 0.9
    assert card.scores["war, rows kept from training, tiny"] < 0.5


def test_a_run_that_was_cut_short_goes_on_and_another_recipe_begins_anew(made, monkeypatch):
    folder, card, _ = made
    monkeypatch.setattr(fitting, "SAVE_SECONDS", 0.0)
    recipe = load_recipe(folder / "further.toml")

    class Cut(Exception):
        pass

    def cut(progress):
        if progress.stage == "train" and progress.done >= 50:
            raise Cut

    for other in (recipe, overridden(recipe, steps=60)):
        with pytest.raises(Cut):
            train_static(other, folder / "mine", folder / "again", cut)
    # What lies there is of the training of 60 steps.
    seen = []
    assert train_static(recipe, folder / "mine", folder / "again", seen.append).fingerprint == card.fingerprint
    assert min(p.done for p in seen if p.stage == "train") == 50


def test_the_command_trains_from_the_shipped_recipe_and_the_result_is_indexed(made, monkeypatch, capsys):
    folder, _, test = made
    out = folder / "cli"
    arguments = ["train", "static", "--from", str(folder / "out/tiny.toml"), "--data", str(folder / "mine")]
    monkeypatch.setattr("sys.argv", ["xsearch", *arguments, "--out", str(out), "--name", "cli", "--steps", "60"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert "war, rows kept from training" in capsys.readouterr().err
    with xsearch.create(out / "index", encoder=str(out / "cli.toml")) as index:
        with index.writer() as writer:
            for number, row in enumerate(test[:30]):
                writer.add(xsearch.Document(id=str(number), text=row["war"], lang="war"))
        found = [index.search(row["en"], k=1, lang="en", retrievers=["dense"])[0].id for row in test[:30]]
    assert sum(found[n] == str(n) for n in range(30)) >= 25


def test_what_cannot_be_is_said(made, tmp_path, monkeypatch):
    folder, _, _ = made
    recipe = load_recipe(folder / "further.toml")
    with pytest.raises(BadInput, match="no parallel text"):
        train_static(recipe, tmp_path, tmp_path / "out")
    (tmp_path / "a.tsv").write_text("ga\tcy\n" + "focal\tgair\n" * 30)
    with pytest.raises(BadInput, match="knows none of the languages"):
        train_static(recipe, tmp_path, tmp_path / "out")
    (tmp_path / "a.tsv").write_text("eng\tcy\n" + "word\tgair\n" * 30)
    with pytest.raises(BadInput, match="write 'en' for 'eng'"):
        train_static(recipe, tmp_path, tmp_path / "out")
    with pytest.raises(UsageError, match="--from"):
        overridden(load_recipe(folder / "base.toml"), extend=("ga",))


TABLES = """
name = "tiny-tables"
languages = ["de"]
least_pairs = 50
licence = "CC-BY-SA-4.0"
[[sources]]
files = "base/*.jsonl"
"""


@pytest.fixture(scope="module")
def tables(made):
    """Tables of the base, and such as are built on them, beside the encoders."""
    folder, _, _ = made
    (folder / "tables.toml").write_text(TABLES)
    (folder / "known").mkdir()
    for path in [folder / "out/tiny.toml", folder / "out/more.toml"]:
        shutil.copy(path, folder / "known")
        shutil.copytree(folder / "out" / path.stem, folder / "known" / path.stem)
    base, more = load_encoder(folder / "known/tiny.toml"), load_encoder(folder / "known/more.toml")
    train_tables(load_tables_recipe(folder / "tables.toml"), base, folder, folder / "known")
    recipe = load_tables_recipe(Path("tables-further"))
    chosen = overridden_tables(recipe, str(folder / "known/tiny-tables.toml"), "more-tables")
    return folder, train_tables(chosen, more, folder / "mine", folder / "out"), more


def test_tables_gain_languages_and_keep_the_others(made, tables):
    folder, card, _ = tables
    base = TranslationTables.open(folder / "known/tiny-tables.tables")
    built = TranslationTables.open(folder / "out/more-tables.tables")
    assert set(built.pairs()) == {("en", "de"), ("en", "nqo"), ("en", "war")}
    assert built.supports("en", "de") == base.supports("en", "de") > 0.9
    assert min(built.supports("en", "war"), built.supports("nqo", "war")) > 0.9
    tokens = base.pieces("en")
    one, two = (tables.translate(tokens, "en", ["de"])["de"] for tables in (base, built))
    assert np.array_equal(one.tokens, two.tokens)
    np.testing.assert_allclose(one.probabilities, two.probabilities, atol=0.02)
    assert card.base.startswith("tiny-tables ")
    assert card.licence == "CC-BY-SA-4.0"
    assert set(card.learnt) == {"en-nqo", "en-war"}
    assert set(card.entries) == {"en-de", "en-nqo", "en-war"}
    assert [source.name for source in card.sources] == ["base/rows.jsonl", "more.tsv", "rows.jsonl"]


def test_an_extended_encoder_uses_the_tables_beside_it_or_those_of_its_base(made, tables):
    folder, _, more = tables
    beside = find_tables(None, more, folder / "out")
    assert beside is not None
    assert beside.vocabulary == more.vocabulary
    of_the_base = find_tables(None, more, folder / "known")
    assert of_the_base is not None
    assert of_the_base.vocabulary == more.card.extends[0] != more.vocabulary
    assert find_tables(str(folder / "known/tiny-tables.tables"), more).supports("en", "de") > 0.9
    assert find_tables(None, more) is None
    with pytest.raises(UsageError, match="not of the pieces"):
        find_tables(str(folder / "out/more-tables.tables"), load_encoder(folder / "out/tiny.toml"))


def test_an_index_finds_words_in_translation_by_what_was_trained(made, tables, monkeypatch):
    folder, _, test = made
    # Sixty words make a language of frequent ones, which say little.
    monkeypatch.setattr("xsearch.engine.tables.FUNCTION_WORD", 0.0)
    with xsearch.create(folder / "index", recipe="psq", encoder=str(folder / "out/more.toml")) as index:
        with index.writer() as writer:
            for number, row in enumerate(test[:30]):
                for lang in ("war", "de"):
                    writer.add(xsearch.Document(id=f"{number}.{lang}", text=row[lang], lang=lang))
        for lang in ("war", "de"):
            found = [index.search(row["en"], k=1, lang="en", to=[lang])[0].id for row in test[:30]]
            assert sum(found[n] == f"{n}.{lang}" for n in range(30)) >= 27


def test_nothing_is_built_on_what_it_would_overwrite(made, tables):
    folder, _, more = tables
    again = overridden(load_recipe(folder / "further.toml"), base=str(folder / "out/more.toml"))
    with pytest.raises(UsageError, match="another --name"):
        train_static(again, folder / "mine", folder / "out")
    recipe = load_tables_recipe(Path("tables-further"))
    chosen = overridden_tables(recipe, str(folder / "out/more-tables.toml"), "more-tables")
    with pytest.raises(UsageError, match="another --name"):
        train_tables(chosen, more, folder / "mine", folder / "out")


def test_counts_of_a_table_that_is_there_are_added_by_sentence_pairs():
    """Three quarters of the sentence pairs are the base's: so are three quarters of the counts."""
    ones = np.ones(1, dtype=np.int64)
    known = JointCounts(ones * 4, ones * 7, np.ones(1, dtype=np.float32))
    own = JointCounts(np.array([4, 4]), np.array([7, 8]), np.array([2, 6], dtype=np.float32))
    card = TablesCard("t", "tables", "", "", "", "", "", 0, sentence_pairs={"en-de": 300})
    base = BaseTables({("en", "de"): known}, {("en", "de"): (0.9, 0.9)}, card)
    table = joined(base, {("en", "de"): own}, {("en", "de"): 100}, Pruning())["en", "de"]
    assert dict(zip(table.right.tolist(), table.counts.tolist(), strict=True)) == pytest.approx({7: 26.0, 8: 6.0})


def test_tables_that_nobody_knows(tmp_path):
    with pytest.raises(UsageError, match="no translation tables 'nothing'"):
        base_card("nothing")
    (tmp_path / "a.toml").write_text('name = "x"')
    with pytest.raises(BadInput, match="not a card"):
        base_card(str(tmp_path / "a.toml"))


KNOWN = [("<unk>", 0.0), (START, -3.0), *((c, -6.0) for c in "abcdefghij"), ("ab", -4.0), (START + "cd", -5.0)]


def test_pieces_that_are_added_change_no_other_spelling_and_no_vector(tmp_path):
    rng = np.random.default_rng(2)
    frequent = ["cdab", "abab", "cdef", "gh"]
    others = ["".join(rng.choice(list("abcdefghij"), rng.integers(1, 9))) for _ in range(300)]
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps({"war": " ".join(frequent), "en": "a"}) for _ in range(9)))
    parallel = read_parallel(tmp_path, (Source("*.jsonl"),))
    pieces = extended(KNOWN, parallel, {"war"}, Extension(least=5, pieces=3))
    # Of two words that save a part the first of the alphabet.
    assert [piece for piece, _ in pieces[len(KNOWN) :]] == [START + "cdef", START + "abab", START + "cdab"]
    rows_before = rng.standard_normal((len(KNOWN), 8)).astype(np.float32)
    rows_before[:2] = 0
    rows_after = extended_rows(KNOWN, rows_before, pieces)
    before, after = Unigram(KNOWN), Unigram(pieces)
    assert after.segment("abab") == [len(KNOWN) + 1]
    for word in [*frequent, *others]:
        one, two = rows_before[before.segment(word)].sum(axis=0), rows_after[after.segment(word)].sum(axis=0)
        np.testing.assert_allclose(one, two, atol=1e-5, err_msg=word)


def test_letters_that_are_lacking_get_pieces(tmp_path):
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps({"war": "abçd çab ded", "en": "a"}) for _ in range(9)))
    parallel = read_parallel(tmp_path, (Source("*.jsonl"),))
    words = {word for word in ("abcd", "cab")}
    known = [entry for entry in KNOWN if "c" not in entry[0]]
    pieces = extended(known, parallel, {"war"}, Extension(least=5, pieces=20))
    unigram = Unigram(pieces)
    assert all(0 not in unigram.segment(word) for word in words)
    new = dict(pieces[len(known) :])
    assert all("c" in piece for piece in new if piece != START + "ded")
    assert (extended_rows(known, np.ones((len(known), 4), dtype=np.float32), pieces)[len(known) :][0] == 0).all()


def test_where_new_words_begin_by_hand():
    """Piece 3 is new and translates 0 (weight 3) and 1 (weight 1), orthogonal, of lengths 2 and 6; its parts point
    along the third axis."""
    rows = np.array([[2, 0, 0], [0, 6, 0], [0, 0, 1], [0, 0, 5]], dtype=np.float32)
    table = PieceTable(np.array([0, 1, 2]), np.array([3, 3, 1]), np.array([3, 1, 1], dtype=np.float32))
    started = further_start(rows, 3, [table], Further(spelling=0.0)).rows()
    expected = np.array([3, 1, 0]) / np.sqrt(10) * (3 * 2 + 1 * 6) / 4
    np.testing.assert_allclose(started[3], expected, rtol=1e-4)
    np.testing.assert_allclose(started[:3], rows[:3], atol=2e-4)
    half = further_start(rows, 3, [table], Further(spelling=0.5)).rows()[3]
    np.testing.assert_allclose(half, 3 * np.array([3 / np.sqrt(10), 1 / np.sqrt(10), 1]) / np.sqrt(2), rtol=1e-4)
    np.testing.assert_allclose(further_start(rows, 3, [], Further()).rows(), rows, atol=2e-4)


def test_codes_of_rows_that_did_not_move_stay():
    rng = np.random.default_rng(3)
    codebook = rng.standard_normal((256, 2)).astype(np.float32)
    base = CodedRows(rng.integers(0, 256, (5, 4)).astype(np.uint8), np.full(5, 0.5, dtype=np.float16), codebook, 8)
    before = np.concatenate([base.rows(np.arange(5)), np.ones((2, 8), dtype=np.float32)])
    rows_after = before.copy()
    rows_after[1] = before[2]
    coded = coded_further(base, rows_after, before)
    assert len(coded) == 7
    assert np.array_equal(coded.codes[[0, 2, 3, 4]], base.codes[[0, 2, 3, 4]])
    moved, wanted = coded.rows(np.array([1]))[0], base.rows(np.array([2]))[0]
    assert np.linalg.norm(moved) == pytest.approx(np.linalg.norm(wanted), rel=2e-3)
    assert moved @ wanted > 0.98 * np.linalg.norm(moved) * np.linalg.norm(wanted)
