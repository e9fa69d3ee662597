"""Names against the formula over every word of every passage; segments, merges, crashes."""

from __future__ import annotations

import math
import threading
from collections import Counter

import numpy as np
import pytest
from retrieve_oracles import RecordedFiles, fingerprint

from xsearch.core import IndexDamaged, PassageBatch, Query, Ranking
from xsearch.lang import alike
from xsearch.lang.compounds import HEAD, MODIFIER
from xsearch.lang.romanise import FAMILIES, codes_of, skeleton
from xsearch.lang.spellings import ENDING, alignment_odds
from xsearch.lang.wordforms import query_spellings, word_forms
from xsearch.retrieve import Names, NamesWriter
from xsearch.retrieve import names as module
from xsearch.retrieve.directory import PRIOR, SOFTNESS, UNLIKELY
from xsearch.retrieve.skeletons import neighbours
from xsearch.storage import DiskFiles
from xsearch.storage.failpoints import Crash

TEXTS = [
    ("ru", "Достоевский родился в Москве"),
    ("ru", "роман Достоевского о Петербурге"),
    ("ru", "Толстой жил в Ясной Поляне, а не в Москве"),
    ("ar", "رواية دوستويفسكي عن القاهرة"),
    ("ar", "تولستوي وتشيخوف"),
    ("en", "Dostoevsky wrote about Moscow"),
    ("en", "the receiver was broken, they receive nothing"),
    ("en", "Moscow, Moscow and Cairo"),
    ("ja", "ドストエフスキーの本はモスクワで"),
    ("zh", "北京地铁和卡夫卡"),
    ("ru", "Ничего"),
]
QUERIES = ["Dostoevsky", "Tolstoi in Moskau", "recieve Cairo", "Достоевский", "القاهرة", "beijing ditie", "Kafka"]


def batches(texts, commits=1, first=0):
    parts = np.array_split(np.arange(len(texts)), commits)
    return [
        PassageBatch(
            part + first,
            [texts[i][0] for i in part],
            [""] * len(part),
            [""] * len(part),
            forms=[" ".join(word_forms(texts[i][1], texts[i][0])) for i in part],
        )
        for part in parts
    ]


def build(folder, parts, state=None, high_water=0, files=None):
    folder.mkdir(exist_ok=True)
    state = state or {}
    for batch in parts:
        writer = NamesWriter(folder, state, high_water=high_water, files=files or DiskFiles())
        writer.add(batch)
        state = writer.flush()
        writer.close()
        high_water = int(batch.numbers[-1]) + 1
    return state


def asked(text):
    return Query(text, (), spellings=query_spellings(text, lambda words: [1.0 + 0.5 * i for i in range(len(words))]))


def oracle(texts, query, depth, allowed=None):
    """The documented formula, each word of each passage compared with each of the query, neighbours aside."""
    rows = []
    for lang in sorted({lang for lang, _ in texts}):
        passages = {i: word_forms(text, own) for i, (own, text) in enumerate(texts) if own == lang}
        frequency = Counter(form for forms in passages.values() for form in forms)
        chance = math.log(1 + sum(frequency.values())) + PRIOR
        total = dict.fromkeys(passages, 0.0)
        for spelling in query.spellings:
            likely = {}
            for form in frequency:
                likely[form] = probability(spelling, form, chance)
                if form == spelling.form:
                    likely[form] = 1.0
            if spelling.form in frequency:
                kind = kind_of(spelling.form)
                likely = {form: p for form, p in likely.items() if form == spelling.form or kind_of(form) != kind}
            expected = min(sum(p * frequency[form] for form, p in likely.items()), len(passages))
            idf = math.log(1 + (len(passages) - expected + 0.5) / (expected + 0.5))
            for i, forms in passages.items():
                total[i] += spelling.weight * idf * max((likely.get(form, 0.0) for form in forms), default=0.0)
        found = [(-score, i) for i, score in total.items() if score > 0 and (allowed is None or allowed[i])]
        rows += sorted(found)[:depth]
    return sorted(rows)


def kind_of(form):
    from xsearch.lang.romanise import family

    return family(form)


def probability(spelling, form, chance):
    from xsearch.lang.romanise import sound_key

    key, kind = sound_key(form), kind_of(form)
    wanted = neighbours(frozenset({skeleton(spelling.key), skeleton(spelling.key, vowelless=True)}))
    own = skeleton(key, kind == "a")
    if not any(first <= own < end for first, end in wanted.tolist()) or (spelling.among and kind not in spelling.among):
        return 0.0
    if kind == spelling.family:
        # Of the same writing: what begins alike, and slips of the pen in words that are long enough.
        digits = [f"{number:o}".ljust(10, "0").rstrip("0") for number in (skeleton(spelling.key), own)]
        slip = len(digits[0]) > 3 and abs(len(key) - len(spelling.key)) <= 2
        if not digits[1].startswith(digits[0]) and not slip:
            return 0.0
    odds = alignment_odds(
        codes_of([spelling.key])[0].astype(np.uint8),
        spelling.family,
        codes_of([key]).astype(np.uint8),
        np.array([FAMILIES.index(kind)], dtype=np.uint8),
    )[0]
    found = 1 / (1 + math.exp((chance - odds) / SOFTNESS))
    return found if found >= UNLIKELY else 0.0


def agrees(found: Ranking, expected) -> bool:
    rows = sorted(zip(-found.scores.astype(float), found.passages.tolist(), strict=True))
    return [i for _, i in rows] == [i for _, i in expected] and np.allclose(
        [score for score, _ in rows], [score for score, _ in expected], rtol=1e-5
    )


@pytest.fixture(params=["numpy", "numba"])
def loops(request, monkeypatch):
    """NumPy, or compiled loops from the first word on."""
    if request.param == "numba":
        pytest.importorskip("numba")
    alike._compiled.cache_clear()
    monkeypatch.setattr(alike, "MANY", 0 if request.param == "numba" else 1 << 60)
    yield
    alike._compiled.cache_clear()


@pytest.mark.parametrize("commits", [1, 3])
@pytest.mark.parametrize("text", QUERIES)
def test_rankings_are_those_of_the_formula(tmp_path, loops, text, commits):
    reader = Names(tmp_path, build(tmp_path, batches(TEXTS, commits)))
    query = asked(text)
    assert agrees(reader.search(query, 10), oracle(TEXTS, query, 10))
    allowed = np.arange(len(TEXTS)) % 2 == 0
    assert agrees(reader.search(query, 1, allowed), oracle(TEXTS, query, 1, allowed))


def test_a_name_is_found_in_every_script(tmp_path):
    reader = Names(tmp_path, build(tmp_path, batches(TEXTS)))
    assert set(reader.search(asked("Dostoevsky"), 10).passages.tolist()) == {0, 1, 3, 5, 8}
    for text in ("Dostojewski", "دوستويفسكي", "ドストエフスキー"):
        assert set(reader.search(asked(text), 10).passages.tolist()) >= {0, 3, 5, 8}
    # Where a language has the word itself, its other forms are for the analyzer to find.
    assert set(reader.search(asked("Достоевский"), 10).passages.tolist()) == {0, 3, 5, 8}
    assert reader.search(asked("beijing ditie"), 10).passages.tolist() == [9]
    assert reader.search(asked("Kafka"), 10).passages.tolist() == [9]
    assert reader.search(asked("kitchen"), 10).passages.tolist() == []


@pytest.mark.parametrize("text", ["نور", "حوت", "תור", "ܢܘܪܐ"])
def test_a_word_with_a_vowel_letter_finds_itself(tmp_path, loops, text):
    """Its consonants are counted with w where it is asked for, without where it is kept."""
    texts = [("ar", "نور الصباح"), ("ar", "حوت كبير في البحر"), ("he", "תור ארוך"), ("syr", "ܢܘܪܐ ܪܒܬܐ")]
    reader = Names(tmp_path, build(tmp_path, batches(texts)))
    found = reader.search(asked(text), 10).passages.tolist()
    assert found[:1] == [number for number, (_, passage) in enumerate(texts) if text in passage]


def test_kanji_and_other_writings_of_a_japanese_name_meet(tmp_path):
    spelt = {
        "東京": ["Tokyo", "Tōkyō", "とうきょう", "トウキョウ", "Токио"],
        "黒澤明": ["Kurosawa Akira"],
        "彦根": ["Хиконэ"],
    }
    fillers = [("ja", text) for text in ("会議は三時に始まる", "新しい図書館ができた", "窓を開けた", "雨が降る")]
    for kanji, others in spelt.items():
        inside = [*fillers, ("ja", f"来週は{kanji}の話をします"), *fillers]
        names = Names(tmp_path / kanji, build(tmp_path / kanji, batches(inside)))
        for other in others:
            assert names.search(asked(other), 3).passages.tolist()[:1] == [4]
            texts = [("en", "rain at three"), ("en", "a new library"), ("en", f"last week {other} again")]
            folder = tmp_path / f"{kanji}-{other}"
            assert Names(folder, build(folder, batches(texts))).search(asked(kanji), 3).passages.tolist()[:1] == [2]
    # Chinese is read as Chinese: the same characters sound otherwise.
    chinese = Names(tmp_path / "zh", build(tmp_path / "zh", batches([("zh", "下周去东京"), ("zh", "北京的地铁")])))
    assert len(chinese.search(asked("Tokyo"), 3)) == 0
    assert chinese.search(asked("beijing"), 3).passages.tolist() == [1]


def test_a_misspelt_word_has_its_neighbours(tmp_path):
    reader = Names(tmp_path, build(tmp_path, batches(TEXTS)))
    (spelling,) = asked("recieve").spellings
    near = reader.near(spelling, 5)
    assert near[0].form == "receive"
    assert near[0].frequency == 1
    (known,) = asked("moscow").spellings
    assert reader.near(known, 5)[0].probability == 1.0
    assert reader.near(known, 5)[0].frequency == 2
    assert reader.knows(known)
    assert not reader.knows(spelling)


def test_what_of_a_query_no_passage_has(tmp_path):
    reader = Names(tmp_path, build(tmp_path, batches(TEXTS)))
    assert reader.unknown(asked("Moscow Cairo")) == 0
    # Weights 1 and 1.5 by `asked`.
    assert reader.unknown(asked("Moscow recieve")) == pytest.approx(1.5 / 2.5)
    assert reader.unknown(asked("")) == 0


def test_the_background_is_what_every_word_as_written_scores(tmp_path):
    reader = Names(tmp_path, build(tmp_path, batches(TEXTS)))
    found = reader.search(asked("Moscow"), 10, langs=["en"])
    mean, most = found.background["en"]
    assert mean == 0
    assert found.scores[0] == pytest.approx(most)
    assert list(found.background) == ["en"]


def test_languages_are_searched_apart(tmp_path):
    reader = Names(tmp_path, build(tmp_path, batches(TEXTS)))
    assert reader.languages() == ["ar", "en", "ja", "ru", "zh"]
    assert set(reader.search(asked("Dostoevsky"), 10, langs=["ru", "xx"]).passages.tolist()) == {0, 1}


def random_texts(rng, count):
    words = [
        "moskva",
        "москва",
        "מוסקבה",
        "cairo",
        "каир",
        "القاهرة",
        "モスクワ",
        "receive",
        "recieve",
        "北京地铁",
        "kairo",
    ]
    langs = ["en", "ru", "ar"]
    return [(langs[rng.integers(3)], " ".join(rng.choice(words, rng.integers(0, 6)))) for _ in range(count)]


def test_merging_changes_no_answer(tmp_path, loops, monkeypatch):
    monkeypatch.setattr(module, "MAX_SEGMENTS", 2)
    texts = random_texts(np.random.default_rng(5), 120)
    many = build(tmp_path / "many", batches(texts, 12))
    one = build(tmp_path / "one", batches(texts))
    assert all(len(entries) <= 3 for entries in many["languages"].values())
    merged, whole = Names(tmp_path / "many", many), Names(tmp_path / "one", one)
    for text in ("Moscow", "receive Cairo", "القاهرة"):
        left, right = merged.search(asked(text), 50), whole.search(asked(text), 50)
        assert left.passages.tolist() == right.passages.tolist()
        assert np.allclose(left.scores, right.scores)
        assert agrees(left, oracle(texts, asked(text), 50))


def test_blocks_of_a_merge_are_the_merge(tmp_path, monkeypatch):
    from xsearch.retrieve import forms

    monkeypatch.setattr(forms, "POSTINGS_AT_ONCE", 7)
    monkeypatch.setattr(module, "MAX_SEGMENTS", 1)
    texts = random_texts(np.random.default_rng(6), 80)
    state = build(tmp_path, batches(texts, 5))
    assert agrees(Names(tmp_path, state).search(asked("Moscow Cairo"), 80), oracle(texts, asked("Moscow Cairo"), 80))


def test_a_full_buffer_is_written_ahead(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BUFFERED", 4)
    writer = NamesWriter(tmp_path, {}, high_water=0, files=DiskFiles())
    for batch in batches(TEXTS, 4):
        writer.add(batch)
    assert agrees(Names(tmp_path, writer.flush()).search(asked("Moscow"), 9), oracle(TEXTS, asked("Moscow"), 9))


def test_a_reader_keeps_its_snapshot_and_writes_nothing(tmp_path):
    state = build(tmp_path, batches(TEXTS))
    before = fingerprint(tmp_path)
    reader = Names(tmp_path, state)
    first = reader.search(asked("Moscow"), 10)
    assert fingerprint(tmp_path) == before
    build(tmp_path, batches(TEXTS, first=len(TEXTS)), state, len(TEXTS))
    again = reader.search(asked("Moscow"), 10)
    assert np.array_equal(first.passages, again.passages)
    assert np.array_equal(first.scores, again.scores)


def test_every_flushed_file_survives_a_power_cut(tmp_path):
    files = RecordedFiles()
    state = build(tmp_path, batches(TEXTS, 2), files=files)
    assert files.unsafe(tmp_path, state["files"]) == []


@pytest.mark.parametrize("point", ["flush.before", "write.before", "write.after", "flush.merged", "flush.after"])
def test_what_a_crash_left_is_dropped(tmp_path, monkeypatch, point):
    monkeypatch.setattr(module, "MAX_SEGMENTS", 1)
    state = build(tmp_path, batches(TEXTS[:4], 2))
    expected = Names(tmp_path, state).search(asked("Moscow"), 10)

    def crash(name):
        if name == f"retrieve.names.{point}":
            raise Crash(name)

    with monkeypatch.context() as patched:
        patched.setattr(module, "reach", crash)
        with pytest.raises(Crash):
            build(tmp_path, batches(TEXTS[:4], first=4), state, 4)
    found = Names(tmp_path, state).search(asked("Moscow"), 10)
    assert found.passages.tolist() == expected.passages.tolist()
    done = build(tmp_path, batches(TEXTS[4:], first=4), state, 4)
    assert agrees(Names(tmp_path, done).search(asked("Moscow"), 10), oracle(TEXTS, asked("Moscow"), 10))


@pytest.mark.parametrize("harm", ["gone", "cut", "other", "longer"])
def test_missing_or_altered_files_are_damage(tmp_path, harm):
    state = build(tmp_path, batches(TEXTS))
    path = tmp_path / state["files"][0]
    content = path.read_bytes()
    if harm == "gone":
        path.unlink()
    else:
        path.write_bytes({"cut": content[:-8], "other": b"x" * len(content), "longer": content + bytes(8)}[harm])
    with pytest.raises(IndexDamaged, match="repair"):
        Names(tmp_path, state)


def test_numbers_must_ascend(tmp_path):
    writer = NamesWriter(tmp_path, {}, high_water=5, files=DiskFiles())
    with pytest.raises(ValueError, match="4"):
        writer.add(batches(TEXTS[:1], first=4)[0])


def test_an_index_without_words_finds_nothing(tmp_path):
    reader = Names(tmp_path, build(tmp_path, batches([("en", "1 2 3"), ("de", "")])))
    assert reader.search(asked("Moscow"), 5).passages.tolist() == []
    assert Names(tmp_path, {}).search(asked("Moscow"), 5).passages.tolist() == []
    assert reader.search(asked(""), 5).passages.tolist() == []


def test_threads_get_the_same_answers(tmp_path):
    reader = Names(tmp_path, build(tmp_path, batches(TEXTS)))
    expected = [Names(tmp_path, build(tmp_path, batches(TEXTS))).search(asked(text), 5) for text in QUERIES]
    wrong = []

    def work():
        for text, right in zip(QUERIES, expected, strict=True):
            found = reader.search(asked(text), 5)
            if not np.array_equal(found.scores, right.scores):
                wrong.append(text)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


COMPOUNDS = [
    ("de", "Der Hauptbahnhofs Vorplatz"),
    ("de", "Bahnhöfe, Umbauten und ein Umbau"),
    ("de", "Kachelofenbauer gesucht"),
    ("nl", "het hoofdbahnhof"),
    ("nl", "een bahnhof en een hoofdbahnhof"),
    ("en", "hauptbahnhof"),
]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        # An ending after the head; Dutch has the word itself; English does not write compounds as one.
        ("bahnhof", {("de", "hauptbahnhofs"): HEAD, ("nl", "bahnhof"): 1.0}),
        ("kachel", {("de", "kachelofenbauer"): MODIFIER}),
        # What stands inside alone is no part.
        ("ofen", {}),
        # The longest head is enough; what begins the word must be a word itself.
        ("bahnhofsumbau", {("de", "umbau"): HEAD, ("nl", "bahnhof"): MODIFIER}),
    ],
)
@pytest.mark.parametrize("commits", [1, 3])
def test_compounds_are_found_by_their_parts(tmp_path, query, expected, commits):
    state = build(tmp_path / "names", batches(COMPOUNDS, commits))
    names = Names(tmp_path / "names", state)
    found = names._prepared().matches(asked(query).spellings[0])
    directory = names._prepared()
    named = {
        (names.languages()[lang], directory._form(word)): p
        for word, p, lang in zip(
            found.words.tolist(), found.probabilities, directory._language(found.words).tolist(), strict=True
        )
    }
    sounding = {key for key in named if abs(len(key[1]) - len(query)) <= ENDING and key not in expected}
    assert {key: p for key, p in named.items() if key not in sounding} == expected


def test_names_are_found_within_text_without_spaces(tmp_path):
    texts = [
        ("th", "โรงงานโตโยต้าจ้างคนงานเพิ่มอีกพันคน"),
        ("th", "หนังสือของแมนเดลาขายดีมาก"),
        ("km", "ភ្ញៀវទេសចរជាច្រើនទៅសៀមរាបរៀងរាល់ឆ្នាំ"),
        ("my", "ဧရာဝတီမြစ်သည်အရှည်ဆုံးမြစ်ဖြစ်သည်"),
    ]
    reader = Names(tmp_path, build(tmp_path, batches(texts)))
    for text, best in [("Toyota", 0), ("Mandela", 1), ("Мандела", 1), ("Irrawaddy", 3)]:
        assert reader.search(asked(text), 1).passages.tolist()[:1] == [best]
