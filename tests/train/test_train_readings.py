"""Readings of kanji learnt from words, and the command that does it."""

import json
from itertools import product

import pytest
from typer.testing import CliRunner

from xsearch.cli.app import app
from xsearch.core import BadInput, MissingExtra
from xsearch.core.extras import have
from xsearch.lang.readings import CLASSES, PLACES
from xsearch.train.ipadic import GIVEN, PLACE, SURNAME, WORD, Noun
from xsearch.train.readings import (
    counts_lines,
    divisions,
    learn_counts,
    lexicon_nouns,
    train_readings,
    without,
    words_lines,
)


def test_a_reading_is_divided_between_syllables_in_every_way():
    assert set(divisions("トーキョー", 2)) == {("トー", "キョー")}
    assert set(divisions("ヤマモト", 2)) == {("ヤ", "マモト"), ("ヤマ", "モト"), ("ヤマモ", "ト")}
    assert list(divisions("キョー", 2)) == []
    # At most five syllables a kanji, ten in all.
    assert list(divisions("アイウエオカ", 1)) == []
    assert list(divisions("アイウエオカキクケコサ", 3)) == []


def test_division_is_learnt_from_what_words_share():
    readings = {"山": "ヤマ", "川": "カワ", "田": "タ", "村": "ムラ", "本": "モト", "上": "ウエ"}
    nouns = [
        Noun(one + two, readings[one] + readings[two], 7_000, SURNAME)
        for one, two in product(readings, repeat=2)
        if one != two
    ]
    shares, counts = learn_counts(nouns)
    assert sum(shares) == pytest.approx(1.0)
    for kanji, reading in readings.items():
        likeliest = max(counts[kanji], key=lambda part: sum(counts[kanji][part]))
        assert likeliest == reading
        assert sum(counts[kanji][reading]) > 0.99 * sum(map(sum, counts[kanji].values()))
    # Each word counts its weight for each of its kanji: none is lost but what is negligible.
    weight = 2.718281828 ** ((9_000 - 7_000) / 2_000)
    total = sum(sum(numbers) for parts in counts.values() for numbers in parts.values())
    assert total == pytest.approx(2 * weight * len(nouns), rel=1e-3)
    assert all(len(numbers) == CLASSES * len(PLACES) for parts in counts.values() for numbers in parts.values())


def test_two_ways_of_reading_come_apart():
    on, kun = (
        {"山": "サン", "水": "スイ", "火": "カ", "金": "キン"},
        {"山": "ヤマ", "水": "ミズ", "火": "ヒ", "金": "カネ"},
    )
    nouns = [
        Noun(a + b, way[a] + way[b], 8_000, kind)
        for way, kind in ((on, WORD), (kun, SURNAME))
        for a, b in product(way, repeat=2)
        if a != b
    ]
    _, counts = learn_counts(nouns)
    for kanji in on:
        first = [counts[kanji][on[kanji]][1], counts[kanji][on[kanji]][4]]
        second = [counts[kanji][kun[kanji]][1], counts[kanji][kun[kanji]][4]]
        assert first[0] > 0.9 * sum(first)
        assert second[1] > 0.9 * sum(second)


def test_excluded_words_are_nowhere_in_what_is_learnt_from():
    nouns = [
        Noun(w, "カナ", 7_000, PLACE) for w in ("東京", "東京湾", "西東京", "京", "東", "明", "明石", "一二三四五")
    ]
    assert [noun.writing for noun in without(nouns, {"東京", "明", "Tokyo"})] == ["京", "東", "明石"]


def test_words_are_listed_by_reading_the_likeliest_first():
    nouns = [
        Noun("佐々木", "ササキ", 6_000, SURNAME),
        Noun("神戸", "コーベ", 5_000, PLACE),
        Noun("神戸", "カンベ", 6_900, SURNAME),
        Noun("神戸", "ゴード", 6_999, SURNAME),
        Noun("頭部", "コーベ", 4_000, WORD),
        Noun("希", "ノゾミ", 9_000, GIVEN),
    ]
    lines = [line for line in words_lines(nouns).splitlines() if not line.startswith("#")]
    assert lines == ["コーベ\t神戸\t頭部", "ササキ\t佐佐木\t", "カンベ\t神戸\t"]


def test_what_is_mostly_an_ordinary_word_is_no_name():
    nouns = [Noun("時計", "トケイ", 7_600, SURNAME), Noun("時計", "トケイ", 5_600, WORD)]
    assert words_lines(nouns).splitlines()[2:] == ["トケイ\t\t時計"]
    assert words_lines(nouns[:1]).splitlines()[2:] == ["トケイ\t時計\t"]


def test_counts_are_kept_in_quarters_and_rare_readings_left_out():
    counts = {"山": {"ヤマ": [0.0, 0.0, 0.0, 1.0, 30.2, 2.0], "ヤ": [0.0, 0.0, 0.0, 0.0, 0.3, 0.0]}}
    assert counts_lines([0.25, 0.75], counts).splitlines()[2:] == ["p\t0.2500 0.7500", "山\tヤマ 0 0 0 4 121 8"]


def lexicon(path, rows):
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    return path


def test_a_lexicon_gives_words_in_kanji_with_long_vowels_marked(tmp_path):
    rows = [
        {"en": ["Tokyo"], "ja": ["東京", "とうきょう"]},
        {"ja": ["食べる", "たべる"]},
        {"ja": ["空気", "くうき"]},
        {"ja": ["山"]},
        {"en": ["none"]},
    ]
    path = lexicon(tmp_path / "words.jsonl", rows)
    assert [(noun.writing, noun.reading) for noun in lexicon_nouns(path)] == [
        ("東京", "トーキョー"),
        ("空気", "クーキ"),
    ]
    with pytest.raises(BadInput, match=r"bad\.jsonl:1"):
        list(lexicon_nouns(lexicon(tmp_path / "bad.jsonl", [{"ja": "山"}])))


def test_the_command_writes_both_tables(tmp_path):
    path = lexicon(
        tmp_path / "words.jsonl",
        [{"ja": ["山川", "やまかわ"]}, {"ja": ["川山", "かわやま"]}, {"ja": ["海山", "うみやま"]}],
    )
    banned = tmp_path / "banned.txt"
    banned.write_text("海山\n", encoding="utf-8")
    arguments = [
        "train",
        "readings",
        str(path),
        "--no-ipadic",
        "--exclude",
        str(banned),
        "--out",
        str(tmp_path / "out"),
    ]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    text = (tmp_path / "out" / "readings.tsv").read_text(encoding="utf-8")
    assert {line.split("\t")[0] for line in text.splitlines()[2:]} == {"p", "山", "川"}
    assert (tmp_path / "out" / "japanese_words.tsv").is_file()


def test_nothing_to_learn_from_is_said(tmp_path):
    with pytest.raises(BadInput, match="no word in kanji"):
        train_readings([lexicon(tmp_path / "none.jsonl", [{"en": ["x"]}])], ipadic=False)
    if not have("janome"):
        with pytest.raises(MissingExtra, match="readings"):
            train_readings([], ipadic=True)
