"""A whole training on three invented languages: what is learnt, what is written, and that it repeats."""

import json

import numpy as np
import pytest

from xsearch.core import BadInput
from xsearch.encode import load_encoder, read_card
from xsearch.train import Progress, fitting, load_recipe, train_static
from xsearch.train.evaluate_static import ndcg, read_collection, retrieval_scores, score_folder, tatoeba_accuracy
from xsearch.train.heldout import LEAST_TEXTS, LEAST_TOKENS, assumed, heldout_accuracy, hold_out, unmeasured
from xsearch.train.model import StaticModel
from xsearch.train.tokenrows import TokenRows

RECIPE = """
name = "tiny"
seed = 5
group = 2
window = 6
licence = "CC0-1.0"
exclude = ["eval/*.jsonl"]

[vocabulary]
size = 700
texts = 3000

[sampling]
section_share = 0.0
context_share = 0.1

[objective]
dim = 32
batch = 128
cycles = [{ steps = 120, learning_rate = 0.1 }, { steps = 30, learning_rate = 0.02, warmup = 0.2 }]

[[sources]]
files = "parallel/*.jsonl"
documents = true
"""


def sentences(count, rng):
    """The same concepts in three languages with words, and word orders, of their own."""
    syllables = [c + v for c in "bdfgklmnprstvz" for v in "aeiou"]
    lexicon = {lang: ["".join(rng.choice(syllables, 3)) for _ in range(60)] for lang in ("en", "de", "el")}
    lexicon["el"] = ["".join(chr(ord("α") + (ord(c) - ord("a")) % 17) for c in word) for word in lexicon["el"]]
    rows = []
    for _ in range(count):
        concepts = rng.choice(60, 6, replace=False)
        rows.append({lang: " ".join(words[c] for c in rng.permutation(concepts)) for lang, words in lexicon.items()})
    return rows


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    rows = sentences(1600, np.random.default_rng(1))
    for name, part in (("parallel/rows.jsonl", rows[:1500]), ("eval/rows.jsonl", rows[1500:])):
        path = folder / name
        path.parent.mkdir()
        path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in part))
    (folder / "sources.json").write_text(
        json.dumps([{"file": "parallel/rows.jsonl", "licence": "CC0 1.0", "origin": "invented"}])
    )
    (folder / "recipe.toml").write_text(RECIPE)
    return folder


@pytest.fixture(scope="module")
def trained(data):
    seen = []
    card = train_static(load_recipe(data / "recipe.toml"), data, data / "out", seen.append)
    return card, seen, data


def held_out(data):
    return [json.loads(line) for line in (data / "eval/rows.jsonl").read_text().splitlines()]


def test_translations_are_found_far_above_chance(trained):
    _, _, data = trained
    encoder = load_encoder(data / "out")
    pairs = [{"lang": lang, "text": row[lang], "en": row["en"]} for row in held_out(data) for lang in ("de", "el")]
    scores = tatoeba_accuracy(encoder, pairs)
    assert set(scores) == {"de", "el"}
    assert min(scores.values()) > 0.9  # chance is 0.01


def test_card_says_what_was_done(trained):
    card, _, data = trained
    assert read_card(data / "out/tiny.toml") == card
    assert (card.dim, card.window, card.licence) == (32, 6, "CC0-1.0")
    assert [(s.name, s.licence, s.origin) for s in card.sources] == [("parallel/rows.jsonl", "CC0 1.0", "invented")]
    assert 0 < card.vocabulary <= 700
    assert len(card.fingerprint) == 32


def test_progress_goes_through_the_stages_and_the_loss_falls(trained):
    _, seen, _ = trained
    assert [*dict.fromkeys(p.stage for p in seen)] == ["read", "vocabulary", "tokenise", "train"]
    steps = [p for p in seen if p.stage == "train"]
    assert isinstance(steps[0], Progress)
    assert steps[-1].done == steps[-1].total == 150
    assert steps[-1].loss < steps[0].loss / 2
    assert all(p.pairs_per_second > 0 for p in steps)


def test_same_seed_same_encoder_and_another_seed_another(trained):
    card, _, data = trained
    recipe = load_recipe(data / "recipe.toml")
    assert train_static(recipe, data, data / "again").fingerprint == card.fingerprint
    assert train_static(recipe, data, data / "other", seed=6).fingerprint != card.fingerprint


class Cut(Exception):
    """The power goes."""


def test_a_run_that_was_cut_short_goes_on_to_the_same_encoder(trained, monkeypatch):
    card, _, data = trained
    recipe = load_recipe(data / "recipe.toml")
    monkeypatch.setattr(fitting, "SAVE_SECONDS", 0.0)
    stages = []

    def cut(progress):
        stages.append(progress.stage)
        if progress.stage == "train" and progress.done >= 100:
            raise Cut

    with pytest.raises(Cut):
        train_static(recipe, data, data / "resumed", cut)
    assert (data / "resumed/tiny.work/state.npz").is_file()
    stages.clear()
    seen = []
    assert train_static(recipe, data, data / "resumed", seen.append).fingerprint == card.fingerprint
    assert [*dict.fromkeys(p.stage for p in seen)] == ["read", "train"]
    assert min(p.done for p in seen if p.stage == "train") > 50
    assert not (data / "resumed/tiny.work").exists()


def test_what_another_recipe_left_is_not_used(trained, monkeypatch):
    card, _, data = trained
    work = data / "other-recipe/tiny.work"
    work.mkdir(parents=True)
    (work / "prepared.json").write_text('{"key": "of something else"}')
    (work / "state.npz").write_bytes(b"not a state")
    assert train_static(load_recipe(data / "recipe.toml"), data, data / "other-recipe").fingerprint == card.fingerprint


def test_sentences_translated_by_pieces_train_too(data, tmp_path):
    text = (data / "recipe.toml").read_text().replace("[objective]", "[translated]\nshare = 0.3\n\n[objective]")
    (tmp_path / "recipe.toml").write_text(text.replace("steps = 120", "steps = 40"))
    seen = []
    train_static(load_recipe(tmp_path / "recipe.toml"), data, tmp_path / "out", seen.append)
    assert "align" in {p.stage for p in seen}
    pairs = [{"lang": lang, "text": row[lang], "en": row["en"]} for row in held_out(data) for lang in ("de", "el")]
    assert min(tatoeba_accuracy(load_encoder(tmp_path / "out"), pairs).values()) > 0.9


def test_data_without_pairs_or_without_the_texts_to_exclude_is_an_error(tmp_path, data):
    (tmp_path / "parallel").mkdir()
    (tmp_path / "parallel/a.jsonl").write_text('{"en": "alone"}\n')
    with pytest.raises(BadInput, match="exclude"):
        train_static(load_recipe(data / "recipe.toml"), tmp_path, tmp_path / "out")
    (tmp_path / "eval").mkdir()
    (tmp_path / "eval/a.jsonl").write_text('{"id": "1", "text": "kept out"}\n')
    with pytest.raises(BadInput, match="two languages"):
        train_static(load_recipe(data / "recipe.toml"), tmp_path, tmp_path / "out")


def test_figures_of_collections(trained, tmp_path):
    _, _, data = trained
    rows = held_out(data)[:40]
    records = {
        "news/docs": [
            {"id": f"d{i}.{lang}", "lang": lang, "text": row[lang]} for i, row in enumerate(rows) for lang in row
        ],
        "news/topics": [{"id": f"d{i}", "lang": "el", "text": row["el"]} for i, row in enumerate(rows)],
        "talk/pairs": [{"lang": "deu", "text": row["de"], "en": row["en"]} for row in rows],
    }
    for name, lines in records.items():
        path = tmp_path / f"{name}.jsonl"
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(json.dumps(line) for line in lines))
    encoder = load_encoder(data / "out")
    figures = score_folder(encoder, tmp_path / "news")
    scores = retrieval_scores(encoder, read_collection(tmp_path / "news"))
    assert set(scores.by_pair) == {("el", "en"), ("el", "de"), ("el", "el")}
    assert figures["cross"] == scores.cross
    assert scores.cross > 0.7  # chance is about 0.1
    assert scores.mixed > 0.7
    assert scores.same > 0.7
    assert figures["from-english"] == 0  # nobody asks in English
    figures = score_folder(encoder, tmp_path / "talk")
    assert figures["accuracy-1"] == figures["accuracy-xtreme"] > 0.9
    assert score_folder(encoder, tmp_path / "talk", by_language=True) == figures | {"deu": figures["accuracy-1"]}


def test_ndcg_by_hand():
    """Topic d1 finds its second relevant document in place 3 of one list; both exist: DCG 1 + 1 / log2(4), ideal
    1 + 1 / log2(3)."""
    scores = np.array([[0.9, 0.8, 0.7, 0.1]], dtype=np.float32)
    relevant = np.array([[True, False, True, False]])
    assert ndcg(scores, relevant)[0] == pytest.approx(1.5 / (1 + 1 / np.log2(3)))
    assert ndcg(scores, np.zeros((1, 4), dtype=bool))[0] == 0
    assert ndcg(np.zeros((1, 12), dtype=np.float32), np.arange(12)[None] == 10)[0] == 0


def test_a_folder_without_collections_is_an_error(trained, tmp_path):
    with pytest.raises(BadInput, match="neither"):
        score_folder(load_encoder(trained[2] / "out"), tmp_path)


def test_a_language_scores_the_mean_over_kinds_of_sources():
    """Of the first kind every translation has its sentence's pieces, of the second another sentence's."""
    count, length = 24, LEAST_TOKENS
    sentences = np.arange(2 * count * length).reshape(2 * count, length)
    shifted = np.concatenate((sentences[:count], np.roll(sentences[count:], 1, axis=0)))
    tokens = np.stack((sentences, shifted), axis=1).reshape(-1).astype(np.int32)
    rows = TokenRows(
        tokens=tokens,
        offsets=np.arange(0, len(tokens) + 1, length),
        langs=np.tile([0, 1], 2 * count).astype(np.int32),
        starts=np.arange(0, 4 * count + 1, 2),
        sources=np.repeat([0, 1], count).astype(np.int32),
        row_of=np.repeat(np.arange(2 * count), 2),
    )
    model = StaticModel(np.eye(len(sentences.ravel()), dtype=np.float32), np.zeros(sentences.size, dtype=np.float32))
    assert heldout_accuracy(model, rows, np.ones(2 * count, dtype=np.bool_), 0) == {0: 0.5, 1: 0.5}


def parallel_rows(texts):
    """Rows of two texts, each a list of (language, tokens), all of one source."""
    flat = [(lang, tokens) for row in texts for lang, tokens in row]
    return TokenRows(
        tokens=np.concatenate([np.asarray(tokens, dtype=np.int32) for _, tokens in flat]),
        offsets=np.cumsum([0, *(len(tokens) for _, tokens in flat)]),
        langs=np.array([lang for lang, _ in flat], dtype=np.int32),
        starts=np.arange(0, len(flat) + 1, 2),
        sources=np.zeros(len(texts), dtype=np.int32),
        row_of=np.repeat(np.arange(len(texts)), 2),
    )


def test_a_language_of_few_texts_is_asked_among_those_of_others():
    """Each sentence of language 1 says what English says in its row, and is said even better in a row of language 2."""
    own = [[(0, [4 * i, 4 * i + 1, 4 * i + 2, 200]), (1, [4 * i, 4 * i + 1, 4 * i + 2, 201])] for i in range(24)]
    model = StaticModel(np.eye(300, dtype=np.float32), np.zeros(300, dtype=np.float32))
    rows = parallel_rows(own)
    assert heldout_accuracy(model, rows, np.ones(len(rows), dtype=np.bool_), 0) == {0: 1.0, 1: 1.0}
    others = [[(0, [4 * i, 4 * i + 1, 4 * i + 2, 201]), (2, [299] * 4)] for i in range(24)]
    rows = parallel_rows(own + others)
    assert heldout_accuracy(model, rows, np.ones(len(rows), dtype=np.bool_), 0)[1] == 0.0


def test_more_is_kept_from_training_of_the_sentences_of_a_small_language():
    many = [[(0, [1] * 5), (1, [2] * 5)] for _ in range(40_000)]
    small = [[(0, [1] * 5), (2, [2] * 5)] for _ in range(400)]
    words = [[(0, [1]), (2, [2])] for _ in range(4_000)]
    held = hold_out(parallel_rows(many + small + words), np.random.default_rng(0))
    assert 300 < held[:40_000].sum() < 500  # one in a hundred
    assert 40 <= held[40_000:40_400].sum() <= 80  # sixty
    assert held[40_400:].sum() < 70  # words are no sentences to be asked


def test_what_could_not_be_measured_counts_as_the_lower_quartile_of_what_is_as_large():
    sizes, scores = [10] * 5 + [1000] * 20, [0.9, 0.1, 0.5, 0.7, 0.3] + [0.8] * 20
    assert assumed(10, sizes[:5], scores[:5]) == pytest.approx(0.3)
    assert assumed(900, sizes, scores) == pytest.approx(0.8)
    assert assumed(10, [], []) == 0


def test_languages_that_were_not_measured_are_listed_where_there_is_text_enough():
    rows = parallel_rows([[(0, [1]), (1, [2])] for _ in range(LEAST_TEXTS)] + [[(0, [1]), (2, [2])]])
    assert unmeasured({"en": 0.8}, rows, ["en", "nso", "ve"]) == {"nso": 0.8}
    assert unmeasured({"en": 0.8, "nso": 0.4}, rows, ["en", "nso", "ve"]) == {}
