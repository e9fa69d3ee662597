"""The static encoder over a small vocabulary: pooling by a plain loop, windows, places, damage."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xsearch.core import BadInput, EncoderMismatch, IndexDamaged, UsageError
from xsearch.encode import (
    EncoderCard,
    SourceNote,
    StaticEncoder,
    card,
    known_encoders,
    load_encoder,
    read_card,
    write_card,
)
from xsearch.encode.card import Prefixes, kind_of
from xsearch.encode.codes import CodedRows, code_rows
from xsearch.encode.static import fingerprint, save_static
from xsearch.encode.unigram import START

WORDS = ["the", "cat", "sat", "on", "mat", "der", "hund", "saß", "auf", "matte", "кот", "сел", "猫", "犬", "ก", "า"]
PIECES = [("<unk>", 0.0), (START, -1.0), *((START + w, -2.0) for w in WORDS), *((w, -4.0) for w in "abcdehmnort猫犬กา")]
VECTORS = np.random.default_rng(21).standard_normal((len(PIECES), 16)).astype(np.float32)
TABLE = code_rows(VECTORS, 1, np.random.default_rng(22))
CARD = EncoderCard(
    name="tiny",
    kind="static",
    dim=16,
    vocabulary=len(PIECES),
    window=4,
    licence="CC0-1.0",
    fingerprint=fingerprint(PIECES, TABLE, 4),
    files="tiny",
    languages={"en": 0.9, "de": 0.8, "sr": 0.5, "zz": 0.01},
)
TINY = StaticEncoder(CARD, PIECES, TABLE)


def plain_vector(numbers):
    total = np.zeros(16)
    for number in numbers:
        total += TABLE.rows(np.array([number]))[0]
    norm = np.linalg.norm(total)
    return total / norm if norm else total


def number(piece):
    return [p for p, _ in PIECES].index(piece)


def test_query_vector_is_the_scaled_sum():
    vectors = TINY.encode_queries(["The cat, the MAT!", "", "?!"])
    expected = plain_vector([number(START + w) for w in ("the", "cat", "the", "mat")])
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors[0], expected, atol=1e-6)
    assert not vectors[1:].any()


def test_passages_are_cut_into_windows():
    text = "the cat sat on the mat der hund saß"  # 9 tokens: round(9 / 4) = 2 windows of 4 and 5
    windows = TINY.encode_passages(["", text, "猫 кот", "—"])
    assert windows.owners.tolist() == [1, 1, 2]
    tokens = [number(START + w) for w in text.split()]
    np.testing.assert_allclose(windows.vectors[0], plain_vector(tokens[:4]), atol=1e-6)
    np.testing.assert_allclose(windows.vectors[1], plain_vector(tokens[4:]), atol=1e-6)


@given(st.lists(st.text(st.sampled_from("thecatsonmderußкот猫犬 .\n"), max_size=60), max_size=6))
def test_order_and_batch_do_not_change_a_bit(texts):
    together = TINY.encode_passages(texts)
    queries = TINY.encode_queries(texts)
    backwards = TINY.encode_queries(texts[::-1])[::-1]
    assert np.array_equal(queries, backwards)
    for i, text in enumerate(texts):
        alone = TINY.encode_passages([text])
        assert np.array_equal(alone.vectors, together.vectors[together.owners == i])
        assert np.array_equal(TINY.encode_queries([text])[0], queries[i])


@given(st.text(st.characters()))
def test_any_text_gives_finite_unit_vectors_and_places_inside(text):
    vector = TINY.encode_queries([text])[0]
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5) or not vector.any()
    windows = TINY.encode_passages([text])
    np.testing.assert_allclose(np.linalg.norm(windows.vectors, axis=1), 1, atol=1e-5)
    for token in TINY.tokens(text):
        assert 0 <= token.start < token.end <= len(text)


def test_tokens_know_their_places_and_weights():
    text = "  Сел,  Кот猫!"
    tokens = TINY.tokens(text)
    assert [(t.piece, text[t.start : t.end]) for t in tokens] == [
        (START + "сел", "Сел"),
        (START + "кот", "Кот"),
        (START + "猫", "猫"),
    ]
    assert tokens[0].weight == pytest.approx(np.linalg.norm(VECTORS[tokens[0].number]), rel=2e-3)
    assert [t.number for t in tokens] == TINY.token_bags([text]).tokens.tolist()


def test_supports():
    assert TINY.supports("de") == 0.8
    assert TINY.supports("sr-Latn") == 0.5
    assert TINY.supports("zz") == 0
    assert TINY.supports("xx") == 0


def written(folder: Path) -> Path:
    save_static(folder / "tiny", PIECES, TABLE)
    write_card(CARD, folder / "tiny.toml")
    return folder


def test_what_is_written_is_read_back(tmp_path):
    encoder = load_encoder(written(tmp_path))
    assert encoder.card == CARD
    texts = ["the cat", "der Hund saß auf der Matte"]
    assert np.array_equal(encoder.encode_queries(texts), TINY.encode_queries(texts))
    assert np.array_equal(load_encoder(tmp_path / "tiny.toml").encode_queries(texts), TINY.encode_queries(texts))


def test_damage_is_named(tmp_path):
    codes = written(tmp_path) / "tiny" / "codes.npy"
    codes.write_bytes(codes.read_bytes()[:40])
    with pytest.raises(IndexDamaged, match="tiny"):
        load_encoder(tmp_path)
    np.save(codes, TABLE.codes[:-1])
    with pytest.raises(IndexDamaged, match="vectors"):
        load_encoder(tmp_path)
    codes.unlink()
    with pytest.raises(IndexDamaged, match=r"codes\.npy"):
        load_encoder(tmp_path)


def test_files_of_another_encoder_are_refused(tmp_path):
    save_static(
        written(tmp_path) / "tiny", PIECES[:-1], CodedRows(TABLE.codes[:-1], TABLE.scales[:-1], TABLE.codebook, 16)
    )
    with pytest.raises(EncoderMismatch, match="tiny"):
        load_encoder(tmp_path)


def test_card_round_trip_with_everything(tmp_path):
    full = EncoderCard(
        name='quo"ted',
        kind="static",
        dim=3,
        vocabulary=2,
        window=40,
        licence="MIT",
        fingerprint="00",
        files="f",
        description="línea\nzwei",
        prefixes=Prefixes("query: ", ""),
        languages={"zh-Hant": 0.5, "en": 1.0},
        scores={"Tatoeba accuracy, 36 languages": 0.25},
        sources=(SourceNote("a", "CC0", "x"), SourceNote("b", "MIT")),
    )
    write_card(full, tmp_path / "c.toml")
    assert read_card(tmp_path / "c.toml") == full


def test_card_with_unknown_key_is_refused(tmp_path):
    path = written(tmp_path) / "tiny.toml"
    path.write_text('colour = "red"\n' + path.read_text())
    with pytest.raises(BadInput, match="colour"):
        read_card(path)


def test_unknown_names_and_kinds(tmp_path):
    with pytest.raises(UsageError, match=r"mine\.toml: no such card"):
        load_encoder("trained/mine.toml")
    with pytest.raises(UsageError, match="did you mean 'xsearch-static-v2'"):
        load_encoder("xsearch-statik-v2")
    with pytest.raises(UsageError, match="neither a model"):
        load_encoder(tmp_path)
    path = written(tmp_path) / "tiny.toml"
    path.write_text(path.read_text().replace('kind = "static"', 'kind = "magic"'))
    with pytest.raises(UsageError, match="magic"):
        load_encoder(path)


def test_known_encoders_have_cards():
    cards = known_encoders()
    assert "xsearch-static-v2" in [c.name for c in cards]
    assert card("xsearch-static-v2").dim == 256


def test_windows_of_pieces_are_those_of_their_texts():
    texts = ["", "the cat sat", "猫 кот", "—", "hund " * 300]
    pieces = TINY.pieces(texts)
    assert pieces.tokens.dtype == np.int32
    assert len(pieces) == len(texts)
    made, direct = TINY.windows(pieces), TINY.encode_passages(texts)
    assert np.array_equal(made.owners, direct.owners)
    assert np.array_equal(made.vectors, direct.vectors)


def test_pieces_of_a_query_stand_where_they_were_written():
    text = "cat — кот"
    pieces = TINY.query_pieces(text)
    tokens = TINY.tokens(text)
    assert pieces.tokens.tolist() == [token.number for token in tokens]
    assert pieces.starts.tolist() == [token.start for token in tokens]
    assert pieces.ends.tolist() == [token.end for token in tokens]
    assert np.allclose(pieces.weights, [token.weight for token in tokens])
    assert len(TINY.query_pieces("—")) == 0


def test_rows_kept_decoded_change_nothing(monkeypatch):
    texts = ["ab ba abc", "", "cab b", "ba ba ba"]
    expected = StaticEncoder(CARD, PIECES, TABLE).encode_passages(texts)
    monkeypatch.setattr("xsearch.encode.static.MANY_TOKENS", 0)
    encoder = StaticEncoder(CARD, PIECES, TABLE)
    for some in (texts[:1], texts[1:2], texts):
        kept = encoder.encode_passages(some)
    assert kept.vectors.tobytes() == expected.vectors.tobytes()
    assert kept.owners.tolist() == expected.owners.tolist()


@pytest.mark.parametrize(
    "text",
    [
        'name = "a"\nkind = "dense"\n[languages]\nde = 1.0\n',
        'extends = [\n["x"],\n]\nkind = "dense"\n',
        'kind = "dense"\r\n[scores]\r\n',
        'description = """\n[languages]\n"""\nkind = "dense"\n',
    ],
)
def test_the_kind_of_a_card_stands_before_its_tables(tmp_path, text):
    (tmp_path / "c.toml").write_bytes(text.encode())
    assert kind_of(tmp_path / "c.toml") == "dense"
    (tmp_path / "c.toml").write_text('name = "a"\n[languages]\nkind = "de"\n')
    assert kind_of(tmp_path / "c.toml") == ""
    (tmp_path / "c.toml").write_text("kind =\n[languages]\n")
    with pytest.raises(BadInput, match="no card"):
        kind_of(tmp_path / "c.toml")
