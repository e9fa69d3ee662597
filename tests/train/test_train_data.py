"""Reading rows, keeping evaluation text out, and drawing pairs by the stated distributions."""

import contextlib
import gzip
import json
import lzma
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from xsearch.core import BadInput
from xsearch.encode.subwords import Subwords
from xsearch.train.bags import Bags, concatenate, from_spans
from xsearch.train.recipe import Sampling, Source, Vocabulary, load_recipe
from xsearch.train.romanised import add_romanised
from xsearch.train.rows import excluded_files, is_excluded, normalised, own_sources, read_excluded, read_parallel
from xsearch.train.sampling import PairSampler, RowDrawer
from xsearch.train.tokenrows import tokenise_rows
from xsearch.train.vocabulary import learn_pieces, sample_texts

ROWS = [
    {"_id": "1", "en": "one house", "de": "ein Haus", "fr": "une maison"},
    {"en": ["two", "pair"], "de": ["zwei"], "fr": ""},
    {"en": "alone"},
    {"en": "Three, cats!", "de": "drei Katzen"},
]
SECTION = {"title": {"en": "Cats", "de": "Katzen"}, "text": {"en": "Cats sit on mats.", "fr": "Les chats."}}


def write(path, records, opener=open):
    text = "\n".join(json.dumps(record) for record in records) + "\n\n"
    if opener is open:
        path.write_text(text)
    else:
        path.write_bytes(opener(text.encode()))
    return path


def test_rows_become_columns(tmp_path):
    write(tmp_path / "a.jsonl", [*ROWS, SECTION])
    parallel = read_parallel(tmp_path, (Source("*.jsonl"),))
    names = list(parallel.languages)
    rows = parallel.rows
    assert rows.starts == [0, 3, 6, 8]
    assert [(names[lang], text) for lang, text in zip(rows.langs, rows.texts, strict=True)] == [
        ("en", "one house"),
        ("de", "ein Haus"),
        ("fr", "une maison"),
        ("en", "pair"),
        ("en", "two"),
        ("de", "zwei"),
        ("en", "Three, cats!"),
        ("de", "drei Katzen"),
    ]
    assert parallel.titles.texts == ["Cats", "Katzen"]
    assert parallel.bodies.texts == ["Cats sit on mats.", "Les chats."]
    assert parallel.count_by_language().tolist() == [4, 3, 1]


def test_id_is_indonesian_and_one_language_has_one_code(tmp_path):
    write(tmp_path / "a.jsonl", [{"_id": "7", "id": "rumah", "no": "hus", "en": "house"}])
    parallel = read_parallel(tmp_path, (Source("*.jsonl"),))
    names = list(parallel.languages)
    assert {names[lang]: text for lang, text in zip(parallel.rows.langs, parallel.rows.texts, strict=True)} == {
        "id": "rumah",
        "nb": "hus",
        "en": "house",
    }


@pytest.mark.parametrize(
    ("name", "opener"),
    [("a.jsonl.xz", lzma.compress), ("a.jsonl.gz", gzip.compress), ("a.jsonl.zst", zstandard.compress)],
)
def test_compressed_files_read_the_same(tmp_path, name, opener):
    write(tmp_path / name, ROWS, opener)
    assert len(read_parallel(tmp_path, (Source("*"),)).rows) == 3


def test_a_table_names_its_languages_first(tmp_path):
    (tmp_path / "a.tsv").write_text('\ufeffen\tde\tfr\r\none\teins\t\r\n\ntwo "2"\tzwei\tdeux\n')
    (tmp_path / "notes.txt").write_text("not read")
    write(tmp_path / "b.jsonl.gz", ROWS[:1], gzip.compress)
    for folder in (".hidden", "below"):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder / "c.jsonl", ROWS[:1])
    sources = own_sources(tmp_path)
    assert [source.files for source in sources] == ["a.tsv", "b.jsonl.gz", "below/c.jsonl"]
    parallel = read_parallel(tmp_path, sources)
    assert parallel.rows.texts[:5] == ["one", "eins", 'two "2"', "zwei", "deux"]
    assert len(parallel.rows) == 4


def test_a_folder_that_is_not_there_is_said_before_all_else(tmp_path):
    for read in (own_sources, partial(excluded_files, ("eval/*.jsonl",))):
        with pytest.raises(BadInput, match="no such folder: name that of the data with --data DIR"):
            read(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.tsv", b"en\tde\na\tb\tc\n", "a.tsv:2: 3 columns where the first line names 2"),
        ("a.tsv", b"en\ten\na\tb\n", "a.tsv:1: the first line"),
        ("a.jsonl", b'{"en": "\xff"}', "a.jsonl: not UTF-8"),
        ("a.jsonl.gz", b"no gzip", "a.jsonl.gz: cannot be read"),
        ("a.jsonl.xz", lzma.compress(b'{"en": "a", "de": "b"}' * 9)[:-9], "a.jsonl.xz: cannot be read"),
        ("a.jsonl.zst", b"no frame", "a.jsonl.zst: cannot be read"),
    ],
)
def test_files_that_cannot_be_read_are_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match=message):
        read_parallel(tmp_path, (Source(name),))


@given(content=st.binary(max_size=200), name=st.sampled_from(["a.tsv", "a.jsonl"]))
def test_any_bytes_are_rows_or_an_error_of_ours(content, name):
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / name).write_bytes(content)
        with contextlib.suppress(BadInput):
            read_parallel(Path(folder), (Source(name),))


def test_a_file_belongs_to_the_first_source_that_names_it(tmp_path):
    write(tmp_path / "a.jsonl", ROWS[:1])
    write(tmp_path / "b.jsonl", ROWS[3:])
    parallel = read_parallel(tmp_path, (Source("b.jsonl", 0.5), Source("*.jsonl")))
    assert parallel.rows.sources == [0, 1]
    assert parallel.files == ["b.jsonl", "a.jsonl"]
    left_out = read_parallel(tmp_path, (Source("b.jsonl", 0.0), Source("*.jsonl")))
    assert left_out.files == ["a.jsonl"]
    assert len(left_out.rows) == 1


def test_evaluation_text_stays_out(tmp_path):
    write(tmp_path / "eval.jsonl", [{"id": "one house", "text": "First line\nTHREE CATS", "grade": 1}])
    excluded = read_excluded([tmp_path / "eval.jsonl"])
    write(tmp_path / "a.jsonl", ROWS)
    parallel = read_parallel(tmp_path, (Source("a.jsonl"),), excluded)
    assert parallel.excluded == 1
    assert len(parallel.rows) == 2  # the third row keeps one text only
    assert "Three, cats!" not in parallel.rows.texts


def test_normalised():
    assert normalised("  Ｈe said:\t“STRASSE, ok_?”") == normalised("he said straße ok")
    assert normalised("?!") == ""


@pytest.mark.parametrize(
    ("line", "message"), [("[1]", "a.jsonl:2"), ("{", "a.jsonl:2"), ('{"en": 3, "de": "x"}', "a.jsonl:2: 'en'")]
)
def test_bad_lines_are_named(tmp_path, line, message):
    (tmp_path / "a.jsonl").write_text('{"en": "a", "de": "b"}\n' + line + "\n")
    with pytest.raises(BadInput, match=message):
        read_parallel(tmp_path, (Source("a.jsonl"),))


def test_a_source_without_files_is_an_error(tmp_path):
    with pytest.raises(BadInput, match=r"nothing\*"):
        read_parallel(tmp_path, (Source("nothing*"),))


def test_recipe_errors(tmp_path):
    path = tmp_path / "r.toml"
    path.write_text('name = "x"\nsteps = 3\nsources = []\n')
    with pytest.raises(BadInput, match="steps"):
        load_recipe(path)
    path.write_text('name = "x"\nsources = [{files = "*"}]\ngroup = 0\n')
    with pytest.raises(BadInput, match="group"):
        load_recipe(path)
    with pytest.raises(BadInput, match="no such recipe"):
        load_recipe(tmp_path / "absent.toml")


def test_bags():
    tokens = np.arange(10, 20)
    spans = from_spans(tokens, np.array([0, 5, 5, 9]), np.array([2, 8, 5, 10]), per_bag=2)
    assert spans.tokens.tolist() == [10, 11, 15, 16, 17, 19]
    assert spans.sizes.tolist() == [5, 1]
    assert spans.select(np.array([1, 0, 1])).tokens.tolist() == [19, 10, 11, 15, 16, 17, 19]
    both = concatenate([spans, Bags(np.array([1]), np.array([0, 0, 1]))])
    assert both.sizes.tolist() == [5, 1, 0, 1]
    assert both.owners.tolist() == [0] * 5 + [1, 3]


def test_dropout_keeps_the_first_token_and_about_the_share():
    bags = Bags(np.arange(10_000), np.arange(0, 10_001, 10))
    dropped = bags.drop(0.5, np.random.default_rng(1))
    assert len(dropped) == 1000
    first = dropped.tokens[dropped.starts[:-1]]
    assert (first == bags.tokens[bags.starts[:-1]]).all()
    assert len(dropped.tokens) == pytest.approx(1000 + 4500, rel=0.05)


def documents(tmp_path):
    """Two sources of ten rows; row r says a<r> in English, b<r> in German, c<r> in French."""
    for source in "xy":
        rows = [
            {lang: f"{source}{mark}{r}z" for lang, mark in zip(("en", "de", "fr"), "abc", strict=True)}
            for r in range(10)
        ]
        write(tmp_path / f"{source}.jsonl", rows)
    write(tmp_path / "s.jsonl", [SECTION])
    sources = (Source("x.jsonl", 1.0, documents=True), Source("y.jsonl", 3.0), Source("s.jsonl"))
    parallel = read_parallel(tmp_path, sources)
    # One piece a character, so that a text's tokens spell it.
    characters = sorted({c for text in parallel.rows.texts for c in text} | set("catskznliomehd"))
    pieces = [("<unk>", 0.0), *((c, -1.0) for c in characters)]
    subwords = Subwords(pieces)
    tables = [tokenise_rows(texts, subwords) for texts in (parallel.rows, parallel.titles, parallel.bodies)]
    return parallel, sources, tables, [piece for piece, _ in pieces]


def spell(bags, pieces):
    return [
        "".join(pieces[t] for t in bags.tokens[a:b]) for a, b in zip(bags.starts[:-1], bags.starts[1:], strict=True)
    ]


def test_pairs_are_two_languages_of_one_row_and_rows_come_by_weight(tmp_path):
    parallel, sources, tables, pieces = documents(tmp_path)
    settings = Sampling(section_share=0, context_share=0, dropout=0)
    sampler = PairSampler(*tables, sources, settings, parallel.count_by_language())
    batch = sampler.draw(4000, np.random.default_rng(2))
    left, right = spell(batch.left, pieces), spell(batch.right, pieces)
    for a, b, row in zip(left, right, batch.groups, strict=True):
        assert (a[0], a[2:]) == (b[0], b[2:])
        assert a[1] != b[1]
        assert a[0] == "xy"[row // 10]
    assert np.mean([a[0] == "y" for a in left]) == pytest.approx(0.75, abs=0.03)
    assert len(batch) >= 3900


def test_context_is_three_rows_of_the_document_about_the_sentence(tmp_path):
    parallel, sources, tables, pieces = documents(tmp_path)
    sampler = PairSampler(
        *tables, sources, Sampling(section_share=0, context_share=1, dropout=0), parallel.count_by_language()
    )
    batch = sampler.draw(500, np.random.default_rng(3))
    shifts, languages = set(), []
    for sentence, window in zip(spell(batch.left, pieces), spell(batch.right, pieces), strict=True):
        rows = [part for part in window.split("z") if part]
        assert {part[0] for part in rows} == {"x"} == {sentence[0]}
        assert len({part[1] for part in rows}) == 1
        languages.append(rows[0][1] != sentence[1])
        numbers = [int(part[2:]) for part in rows]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        own = int(sentence[2:-1])
        shifts.add(numbers[0] - own)
        assert own in numbers or numbers[0] == own + 1
    assert shifts == {-2, -1, 0, 1}
    assert np.mean(languages) > 0.95


def test_sections_pair_title_and_text(tmp_path):
    parallel, sources, tables, pieces = documents(tmp_path)
    sampler = PairSampler(
        *tables, sources, Sampling(section_share=1, context_share=0, dropout=0), parallel.count_by_language()
    )
    batch = sampler.draw(50, np.random.default_rng(4))
    assert set(spell(batch.left, pieces)) == {"cats", "katzen"}
    assert all(text.startswith(("catssit", "leschats")) for text in spell(batch.right, pieces))
    assert (batch.groups == len(parallel.rows)).all()


def test_held_rows_are_never_drawn_and_same_seed_draws_the_same(tmp_path):
    parallel, sources, tables, _ = documents(tmp_path)
    held = np.arange(20) % 2 == 0
    sampler = PairSampler(*tables, sources, Sampling(section_share=0), parallel.count_by_language(), held)
    first, second = (sampler.draw(300, np.random.default_rng(5)) for _ in range(2))
    assert (first.groups % 2 == 1).all()
    assert np.array_equal(first.left.tokens, second.left.tokens)
    assert np.array_equal(first.groups, second.groups)


def test_languages_of_a_row_come_by_their_weight_and_synonyms_share_it(tmp_path):
    write(tmp_path / "a.jsonl", [{"en": ["a", "b", "c"], "de": ["d"]}])
    parallel = read_parallel(tmp_path, (Source("a.jsonl"),))
    table = tokenise_rows(parallel.rows, Subwords([("<unk>", 0.0), ("a", -1.0)]))
    drawer = RowDrawer(table, np.ones(1), np.array([1.0, 3.0]), Sampling())
    drawn = drawer.texts(np.zeros(8000, dtype=np.int64), np.random.default_rng(6))
    shares = np.bincount(drawn, minlength=4) / 8000
    assert shares == pytest.approx([1 / 12, 1 / 12, 1 / 12, 3 / 4], abs=0.02)


def test_vocabulary_is_learnt_from_folded_words(tmp_path):
    write(tmp_path / "a.jsonl", [{"en": f"Café{n}x opens", "de": f"öffnet Café{n}y"} for n in "abcdefghijklmnopqrst"])
    parallel = read_parallel(tmp_path, (Source("a.jsonl"),))
    texts = sample_texts(parallel, Vocabulary(size=80, texts=500), np.random.default_rng(7))
    assert set(texts) <= set(parallel.rows.texts)
    pieces = dict(learn_pieces(texts, 80))
    assert len(pieces) <= 80
    assert next(iter(pieces)) == "<unk>"
    assert any("cafe" in piece for piece in pieces)
    assert not any(c.isupper() or c in "éö" for piece in pieces for c in piece)
    assert all(score == np.float16(score) for score in pieces.values())


def test_rows_get_a_copy_in_latin_letters(tmp_path):
    rows = [{"en": "Chekhov", "ru": "Чехов, писатель", "sr-Cyrl": "Чехов"}, {"en": "tea", "de": "Tee"}]
    write(tmp_path / "a.jsonl", rows * 50)
    parallel = read_parallel(tmp_path, (Source("a.jsonl"),))
    add_romanised(parallel, 0.5, np.random.default_rng(1))
    names = list(parallel.languages)
    texts = parallel.rows
    read = [
        {names[texts.langs[t]]: texts.texts[t] for t in range(texts.starts[row], texts.starts[row + 1])}
        for row in range(len(texts))
    ]
    copies = [{k: v for k, v in row.items() if k.endswith("-Latn")} for row in read]
    assert [{k: v for k, v in row.items() if not k.endswith("-Latn")} for row in read] == rows * 50
    assert {tuple(copy.items()) for copy in copies[::2]} == {
        (),
        (("ru-Latn", "chekhov, pisatel'"),),
        (("sr-Latn", "chekhov"),),
    }
    assert sum(map(bool, copies[::2])) == pytest.approx(25, abs=9)
    assert not any(copies[1::2])
    for row in range(len(texts)):
        part = texts.langs[texts.starts[row] : texts.starts[row + 1]]
        assert part == sorted(part)


def test_a_frequent_word_that_is_part_of_no_other_is_a_piece():
    texts = ["quilf zmeb durtha durthan durthas"] * 20 + ["abcde fghij klmno"] * 4
    pieces = dict(learn_pieces(texts, 60))
    assert {"\u2581quilf", "\u2581zmeb"} <= set(pieces)
    assert "\u2581klmno" not in pieces  # seen four times
    assert len(pieces) <= 60


def test_evaluation_text_is_known_below_its_title_and_not_by_its_short_lines(tmp_path):
    body = "The lake behind the dam is the largest that was ever filled by people."
    (tmp_path / "eval.jsonl").write_text(json.dumps({"id": "1", "title": "Overview", "text": f"{body}\nSee also"}))
    excluded = read_excluded([tmp_path / "eval.jsonl"])
    assert is_excluded(body, excluded)
    assert is_excluded(f"Kariba\n{body.upper()}", excluded)
    assert is_excluded(f"{body} See also.", excluded)
    assert is_excluded("Overview", excluded)
    assert not is_excluded("Overview\nAnother lake altogether, which nobody has filled yet, lies here.", excluded)
    assert not is_excluded(f"Somebody has written: {body}", excluded)
