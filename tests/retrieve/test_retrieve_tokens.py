"""The forward file: words as they were, in one form, whole after crashes, refused when damaged."""

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from late_oracles import RandomTable, first_version, piece_batch, random_texts, words_of
from retrieve_oracles import RecordedFiles

from xsearch.core import Bags, IndexDamaged, PassageBatch
from xsearch.retrieve import TokensWriter
from xsearch.retrieve import tokens as module
from xsearch.retrieve.forward import distinct_words, forward, joined
from xsearch.retrieve.word_file import map_words, packed
from xsearch.storage import DiskFiles
from xsearch.storage.failpoints import Crash

TABLE = RandomTable(np.random.default_rng(0))


def write(folder, batches, state=None, high_water=0, files=None):
    folder.mkdir(exist_ok=True)
    for batch in batches:
        writer = TokensWriter(folder, state or {}, high_water=high_water, files=files or DiskFiles())
        writer.add(batch)
        state = writer.flush()
        writer.close()
        high_water = int(batch.numbers[-1]) + 1
    return state


def held(folder, state):
    """By passage number, language and set of words."""
    found = {}
    for lang, entries in state["languages"].items():
        for entry in entries:
            part = map_words(folder / module.words_name(lang, entry), entry).forward
            for row, number in enumerate(part.numbers.tolist()):
                own = part.entries[part.starts[row] : part.starts[row + 1]].tolist()
                assert own == sorted(set(own))
                words = {
                    tuple(part.pieces[part.word_starts[word] : part.word_starts[word + 1]].tolist()) for word in own
                }
                found[number] = lang, words
    return found


def split(texts, langs, commits):
    return [
        piece_batch(part, [langs[n] for n in part], [texts[n] for n in part])
        for part in np.array_split(np.arange(len(texts)), commits)
    ]


@pytest.mark.parametrize("commits", [1, 2, 30])
def test_every_passage_keeps_its_words(tmp_path, commits):
    rng = np.random.default_rng(1)
    texts, langs = random_texts(rng, 200, longest=60), rng.choice(["de", "en"], 200).tolist()
    state = write(tmp_path, split(texts, langs, commits))
    expected = {n: (langs[n], set(words_of(TABLE, texts[n]))) for n in range(200) if len(texts[n])}
    assert held(tmp_path, state) == expected
    assert state["files"] == sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.words")) or (
        commits > 8
    )


def test_one_segment_whatever_the_portions(tmp_path):
    """Merged or written at once: the same bytes."""
    rng = np.random.default_rng(2)
    texts = random_texts(rng, 120)
    whole = joined([_forward(texts)])
    parts = joined([_forward(texts[:50], 0), _forward(texts[50:51], 50), _forward(texts[51:], 51)])
    assert b"".join(packed(whole)) == b"".join(packed(parts))


def _forward(texts, first=0):
    words = [words_of(TABLE, text) for text in texts]
    flat = [word for held in words for word in held]
    starts = np.cumsum([0, *(len(held) for held in words)])
    word_starts = np.cumsum([0, *(len(word) for word in flat)])
    pieces = np.array([piece for word in flat for piece in word], dtype=np.int64)
    return forward(np.arange(first, first + len(texts)), starts, pieces, word_starts)


def test_frequent_words_come_first(tmp_path):
    texts = [np.array([14]), np.array([14, 25]), np.array([14, 25, 36, 1])]
    made = _forward(texts)
    vocabulary = [
        tuple(made.pieces[a:b].tolist()) for a, b in zip(made.word_starts, made.word_starts[1:], strict=False)
    ]
    assert vocabulary == [(14,), (25,), (36, 1)]
    assert made.entries.tolist() == [0, 0, 1, 0, 1, 2]


def test_a_large_vocabulary_takes_wider_entries():
    count = 70_000
    made = forward(np.arange(2), np.array([0, count, count + 1]), np.arange(count + 1), np.arange(count + 2))
    assert list(packed(made))[-2] == made.entries.astype("<u4").tobytes() + bytes(4)
    few = forward(np.arange(1), np.array([0, 9]), np.arange(9), np.arange(10))
    assert list(packed(few))[-2] == np.arange(9, dtype="<u2").tobytes() + bytes(6)


def test_many_passages_take_wider_rows(tmp_path):
    count = 70_000
    made = forward(np.arange(count), np.arange(count + 1), np.arange(count) % 3, np.arange(count + 1))
    path = tmp_path / "one.words"
    path.write_bytes(b"".join(packed(made)))
    lists = map_words(path, {"passages": count, "entries": count, "words": 3, "pieces": 3}).lists
    assert lists.rows.dtype == np.dtype("<u4")
    assert np.array_equal(lists.rows[lists.starts[1] : lists.starts[2]], np.arange(1, count, 3))


@pytest.mark.parametrize("version", [1, 2])
def test_every_word_has_the_passages_that_hold_it(tmp_path, version):
    made = _forward(random_texts(np.random.default_rng(4), 150))
    path = tmp_path / "one.words"
    path.write_bytes(first_version(made) if version == 1 else b"".join(packed(made)))
    sizes = len(made.numbers), len(made.entries), made.words, len(made.pieces)
    mapped = map_words(path, dict(zip(("passages", "entries", "words", "pieces"), sizes, strict=True)))
    assert (mapped.stored is None) == (version == 1)
    for word in range(made.words):
        rows = mapped.lists.rows[mapped.lists.starts[word] : mapped.lists.starts[word + 1]].tolist()
        own = [row for row in range(150) if word in made.entries[made.starts[row] : made.starts[row + 1]]]
        assert rows == own


def test_a_word_without_end_is_cut(tmp_path):
    state = write(tmp_path, [piece_batch([0], ["en"], [np.array([4] + [1] * 39)])])
    assert held(tmp_path, state)[0][1] == {(4, *[1] * 15), (1,) * 16, (1,) * 8}


@given(st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=5), min_size=1, max_size=30))
def test_equal_words_are_found_equal(words):
    starts = np.cumsum([0, *map(len, words)])
    first, same = distinct_words(starts, np.concatenate([np.array(word) for word in words]))
    for word, number in zip(words, same.tolist(), strict=True):
        assert words[first[number]] == word
    kept = [tuple(words[place]) for place in first.tolist()]
    assert kept == sorted(set(map(tuple, words)), key=lambda word: (len(word), word))


def test_taking_rows_keeps_their_words_alone():
    rng = np.random.default_rng(3)
    texts = random_texts(rng, 60)
    whole = _forward(texts)
    part = whole.take(np.array([40, 3, 17]))
    assert part.numbers.tolist() == [40, 3, 17]
    for row, number in enumerate(part.numbers.tolist()):
        own = part.entries[part.starts[row] : part.starts[row + 1]].tolist()
        words = {tuple(part.pieces[part.word_starts[w] : part.word_starts[w + 1]].tolist()) for w in own}
        assert words == set(words_of(TABLE, texts[number]))
    assert part.words == len(set(part.entries.tolist()))


def test_batches_must_fit(tmp_path):
    writer = TokensWriter(tmp_path, {}, high_water=10, files=DiskFiles())
    with pytest.raises(ValueError, match="ascend"):
        writer.add(piece_batch([9], ["en"], [np.array([4])]))
    bare = PassageBatch(np.array([10]), ["en"], [""], [""])
    with pytest.raises(ValueError, match="pieces"):
        writer.add(bare)
    with pytest.raises(ValueError, match="pieces"):
        writer.add(
            PassageBatch(np.array([11]), ["en"], [""], [""], None, Bags(np.array([4], np.int32), np.array([0, 1])))
        )


def test_a_full_buffer_is_written_ahead_of_the_flush(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BUFFER_BYTES", 40)
    texts = [np.array([4, 1, 5, 6]) for _ in range(30)]
    writer = TokensWriter(tmp_path, {}, high_water=0, files=DiskFiles())
    for batch in split(texts, ["en"] * 30, 5):
        writer.add(batch)
    assert list(tmp_path.rglob("*.words"))
    state = writer.flush()
    assert sorted(held(tmp_path, state)) == list(range(30))


def test_every_flushed_file_survives_a_power_cut(tmp_path):
    files = RecordedFiles()
    state = write(tmp_path, split(random_texts(np.random.default_rng(4), 60), ["en"] * 60, 12), files=files)
    assert len(state["languages"]["en"]) <= module.MAX_SEGMENTS
    assert files.unsafe(tmp_path, state["files"]) == []


POINTS = tuple(
    f"retrieve.tokens.{step}" for step in ("flush.before", "write.before", "write.after", "flush.merged", "flush.after")
)


@pytest.mark.parametrize("point", POINTS)
def test_what_a_crash_left_is_dropped(tmp_path, monkeypatch, point):
    rng = np.random.default_rng(5)
    texts, lost = random_texts(rng, 120), random_texts(rng, 120)
    batches = split(texts, ["en"] * 120, 12)
    state = write(tmp_path, batches[:8])
    before, reached = held(tmp_path, state), []

    def crash(name):
        reached.append(name)
        if name == point:
            raise Crash

    writer = TokensWriter(tmp_path, state, high_water=80, files=DiskFiles())
    writer.add(split(lost, ["en"] * 120, 12)[8])
    monkeypatch.setattr(module, "reach", crash)
    with pytest.raises(Crash):
        writer.flush()
    monkeypatch.undo()
    assert reached[-1] == point
    assert held(tmp_path, state) == before
    state = write(tmp_path, batches[8:], state, high_water=80)
    assert held(tmp_path, state) == {n: ("en", set(words_of(TABLE, t))) for n, t in enumerate(texts) if len(t)}


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_damaged_files_are_refused_or_read_safely(tmp_path_factory, data):
    """Cut, longer, or with other bytes: `IndexDamaged`, or words that are numbers of something."""
    folder = tmp_path_factory.mktemp("harm")
    state = write(folder, [piece_batch(range(3), ["en"] * 3, [np.array([4, 1, 5]), np.array([6]), np.array([4, 7])])])
    entry = state["languages"]["en"][0]
    path = folder / module.words_name("en", entry)
    content = bytearray(path.read_bytes())
    harm = data.draw(st.sampled_from(["cut", "longer", "bytes"]))
    if harm == "cut":
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    elif harm == "longer":
        content += b"\0"
    else:
        for _ in range(data.draw(st.integers(1, 4))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        mapped = map_words(path, entry)
        assert harm == "bytes"
        part = mapped.forward.take(np.arange(3))
    except IndexDamaged:
        return
    assert part.passages == 3
    assert part.entries.max(initial=0) < max(1, part.words)


def test_missing_and_swapped_files_are_damage(tmp_path):
    state = write(tmp_path, split([np.array([4]), np.array([4, 5, 16])], ["en"] * 2, 2))
    one, other = state["languages"]["en"]
    path = tmp_path / module.words_name("en", one)
    path.write_bytes((tmp_path / module.words_name("en", other)).read_bytes())
    with pytest.raises(IndexDamaged, match="repair"):
        map_words(path, one)
    os.unlink(path)
    with pytest.raises(IndexDamaged, match="repair"):
        map_words(path, one)
    path.write_bytes(b"")
    with pytest.raises(IndexDamaged, match="repair"):
        map_words(path, one)
