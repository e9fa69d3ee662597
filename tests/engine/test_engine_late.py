"""An index of late interaction alone, through its life: commits, deletion, filters, compaction, damage, repair."""

import pytest
from doubles.engine_model import LANGUAGES, WORDS, apply, expected, observed, problems

import xsearch
from xsearch.cli.hits import met
from xsearch.core import IndexDamaged
from xsearch.engine import compact
from xsearch.storage import check_index


@pytest.fixture
def folder(tmp_path):
    index = xsearch.create(tmp_path / "idx", recipe="late")
    for commit in range(1, 5):
        with index.writer() as writer:
            apply(writer, commit)
    index.close()
    return tmp_path / "idx"


def test_what_lives_is_found_before_and_after_compaction(folder):
    index = xsearch.open(folder)
    assert problems(observed(index), [4]) == ""
    before = [(hit.id, hit.score) for hit in index.search("bridge over the river", k=50)]
    compact(folder)
    compacted = xsearch.open(folder)
    assert problems(observed(compacted), [4]) == ""
    # Scores may differ: the sample that weighs the words no longer holds what was replaced.
    assert {id for id, _ in before} == {hit.id for hit in compacted.search("bridge over the river", k=50)}
    assert [problem for problem in check_index(folder) if problem.level == "error"] == []


def test_as_many_hits_as_a_filter_leaves(folder):
    index = xsearch.open(folder)
    for version in range(1, 5):
        hits = index.search("winter music", k=100, filter=f"version = {version}")
        right = {id for id, text in expected(4).items() if f" v{version}n" in text}
        assert {hit.id for hit in hits} == right
    assert {hit.lang for hit in index.search("winter music", k=100, to=["de"])} == {"de"}


def test_words_meet_their_translations(tmp_path):
    index = xsearch.create(tmp_path / "idx", recipe="late")
    with index.writer() as writer:
        for lang, words in WORDS.items():
            for word in words.split():
                writer.add(xsearch.Document(f"{word}.{lang}", word, lang=lang))
    english = WORDS["en"].split()
    for lang in LANGUAGES:
        hits = [index.search(word, k=1, lang="en", to=[lang])[0].id for word in english]
        right = sum(hit == f"{word}.{lang}" for hit, word in zip(hits, WORDS[lang].split(), strict=True))
        assert right >= 8, (lang, hits)


def test_a_hit_tells_which_words_met(tmp_path):
    index = xsearch.create(tmp_path / "idx", recipe="late")
    with index.writer() as writer:
        writer.add(xsearch.Document("de", "Die neue Brücke führt über den Fluss.", title="Winter", lang="de"))
    (hit,) = index.search("bridge in winter", lang="en", explain=True)
    by_word = {match.query: match for match in hit.met}
    bridge, winter = by_word["bridge"], by_word["winter"]
    assert (bridge.retriever, bridge.word, bridge.in_title) == ("late", "Brücke", False)
    assert hit.text[bridge.start : bridge.end] == "Brücke"
    assert "bridge in winter"[bridge.asked_start : bridge.asked_end] == "bridge"
    assert (winter.word, winter.in_title, winter.start, winter.end) == ("Winter", True, 0, 6)
    assert 0 < bridge.similarity <= 1
    (line,) = met(hit.met)
    assert line.startswith("late: Winter ← winter ")
    assert f"Brücke ← bridge {bridge.similarity:.2f}" in line
    assert index.search("bridge in winter")[0].met == ()


def test_damage_is_found_and_repaired(folder):
    path = next(folder.rglob("tokens/en/*.words"))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(IndexDamaged, match="repair"):
        xsearch.open(folder).search("winter")
    assert [problem for problem in check_index(folder) if problem.level == "error"]
    compact(folder)
    assert problems(observed(xsearch.open(folder)), [4]) == ""
