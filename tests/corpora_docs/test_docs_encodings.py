"""Encodings: found, reported, and nothing lost that could be read."""

import codecs
import os
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xsearch.core import BadInput, UsageError
from xsearch.corpora import ReadOptions
from xsearch.corpora.encodings import declared_encoding, decode, detect_encoding, normalize_newlines, well_formed

TEXTS = {
    "ru": "Вчера вечером в городе прошёл сильный дождь, и улицы у реки затопило. Жители говорят, что такого не было.",
    "de": "Während die Straßenbahn fährt, dürfen die Türen nicht geöffnet werden; große Koffer gehören nach hinten.",
    "fr": "Après l'été, les élèves sont rentrés à l'école où les attendaient déjà leurs maîtres et de longues leçons.",
    "es": "El niño comió una piña mañana y tarde; después soñó con el otoño en España y con la montaña más pequeña.",
    "pl": "Późnym wieczorem dziewczęta wróciły znad jeziora, śmiejąc się głośno i żałując, że lato już się skończyło.",
    "el": "Η βροχή σταμάτησε αργά το βράδυ και οι δρόμοι της πόλης ήταν ακόμη γεμάτοι νερά όταν ξημέρωσε η μέρα.",
    "he": "אתמול בערב ירד גשם חזק בעיר והרחובות ליד הנהר הוצפו במים רבים עד הבוקר שלמחרת.",
    "ar": "هطلت أمطار غزيرة مساء أمس على المدينة وغمرت المياه الشوارع القريبة من النهر حتى صباح اليوم التالي.",
    "th": "เมื่อวานตอนเย็นฝนตกหนักในเมืองและถนนริมแม่น้ำถูกน้ำท่วมจนถึงเช้าวันรุ่งขึ้น",
    "ja": "昨日の夕方、町では激しい雨が降り、川沿いの道路は朝まで水に浸かっていた。",
    "zh": "昨天傍晚城里下了一场大雨，河边的街道一直到第二天早上都被水淹没。",
    "zh-Hant": "昨天傍晚城裡下了一場大雨，河邊的街道一直到第二天早上都被水淹沒。",
    "ko": "어제 저녁 도시에 큰비가 내려 강가의 거리는 다음 날 아침까지 물에 잠겨 있었다.",
    "tr": "Dün akşam şehirde şiddetli yağmur yağdı ve ırmağın kıyısındaki sokaklar sabaha kadar sular altında kaldı.",
}

CASES = [
    ("ru", "cp1251", "windows-1251"),
    ("ru", "koi8_r", "koi8-r"),
    ("de", "cp1252", "windows-1252"),
    ("fr", "latin-1", "windows-1252"),
    ("es", "latin-1", "windows-1252"),
    ("pl", "iso8859_2", "iso-8859-2"),
    ("pl", "cp1250", "windows-1250"),
    ("el", "cp1253", "windows-1253"),
    ("he", "cp1255", "windows-1255"),
    ("ar", "cp1256", "windows-1256"),
    ("th", "cp874", "cp874"),
    ("ja", "shift_jis", "cp932"),
    ("ja", "euc_jp", "euc-jis-2004"),
    ("ja", "iso2022_jp", "iso2022-jp-2"),
    ("zh", "gb18030", "gb18030"),
    ("zh-Hant", "big5", "big5hkscs"),
    ("ko", "euc_kr", "cp949"),
    ("tr", "cp1254", "windows-1254"),
    ("ru", "cp866", "cp866"),
    ("de", "cp850", "cp437"),
    ("fr", "cp850", "cp437"),
    ("pl", "cp852", "cp852"),
    ("el", "cp737", "cp737"),
    ("tr", "cp857", "cp857"),
    ("ru", "utf-16-le", "utf-16-le"),
    ("de", "utf-16-be", "utf-16-be"),
    ("zh", "utf-16", "utf-16-le"),
    ("ja", "utf-32", "utf-32-le"),
]


@pytest.mark.parametrize(("lang", "codec", "reported"), CASES)
def test_a_text_in_a_legacy_encoding_comes_out_whole_and_the_encoding_is_named(reading, lang, codec, reported):
    outcome = reading("a.txt", TEXTS[lang].encode(codec))
    assert outcome.texts == [TEXTS[lang]]
    assert outcome.notes == [f"a.txt: read as {reported}"]
    assert not outcome.bad


@pytest.mark.parametrize("text", ["naïve café, déjà vu", "Hände", "£5", "It’s a “test”", "ñandú año", "10 µm"])
def test_a_few_accents_are_taken_for_western_european(reading, text):
    assert reading("a.txt", text.encode("cp1252")).texts == [text]


@pytest.mark.parametrize("text", ["He said “no” – and then… left • £5, ‘it’ © 2020", "“Zürich” – ‘Köln’"])
def test_typography_of_windows_is_no_code_page_of_dos(reading, text):
    assert reading("a.txt", text.encode("cp1252")).texts == [text]


def test_utf8_is_read_without_a_word(reading):
    outcome = reading("a.txt", "\n".join(TEXTS.values()).encode())
    assert (outcome.texts, outcome.notes) == (["\n".join(TEXTS.values())], [])


def test_a_byte_order_mark_is_no_text(reading):
    outcome = reading("a.txt", codecs.BOM_UTF8 + b"abc")
    assert (outcome.texts, outcome.notes) == (["abc"], [])


@pytest.mark.parametrize("suffix", ["txt", "jsonl", "csv", "sgml"])
def test_a_bad_byte_in_utf8_is_replaced_and_its_line_reported(reading, suffix):
    lines = {
        "txt": ["Грустно", "Весело", "Ра%s но", "Поздно"],
        "jsonl": ['{"id": 1, "text": "Грустно"}', '{"id": 2, "text": "Весело"}', '{"id": 3, "text": "Ра%s но"}'],
        "csv": ["id,text", "1,Грустно", "2,Ра%s но", "3,Весело"],
        "sgml": ["<DOC><DOCNO>1</DOCNO>", "<TEXT>Грустно", "Ра%s но", "</TEXT></DOC>"],
    }[suffix]
    data = b"\n".join(line.encode().replace(b"%s", b"\xd0") for line in lines)
    outcome = reading(f"a.{suffix}", data)
    assert "Ра� но" in "\n".join(outcome.texts)
    assert outcome.notes == [f"a.{suffix}:3: not valid utf-8: bad bytes were replaced by U+FFFD"]
    assert not outcome.bad


def test_a_text_that_was_cut_within_a_character_stays_utf8(reading):
    outcome = reading("a.txt", b"plain text, then \xe2\x82")
    assert outcome.texts == ["plain text, then �"]


@pytest.mark.parametrize(
    "junk", [os.urandom(0) + random.Random(7).randbytes(4000), bytes(range(256)) * 8, b"\0\1\2" * 99]
)
def test_binary_data_is_refused(reading, junk):
    outcome = reading("a.txt", junk)
    assert (outcome.documents, outcome.bad) == ([], ["a.txt: binary data, not text"])


def test_single_nul_characters_are_dropped_with_a_note(reading):
    outcome = reading("a.txt", b"hello\0world and more text")
    assert outcome.texts == ["helloworld and more text"]
    assert outcome.notes == ["a.txt: NUL characters were dropped"]


def test_line_ends_become_newlines_and_controls_stay(reading):
    text = "a\r\nb\rc\n\x1b[31mred\x1b[0m \u202eevil\u202c \U000e0fff"
    outcome = reading("a.txt", text.encode())
    assert outcome.texts == ["a\nb\nc\n\x1b[31mred\x1b[0m \u202eevil\u202c \U000e0fff"]


def test_the_declared_charset_decides_where_bytes_do_not():
    page = b'<meta charset="windows-1250"><p>' + "Příliš".encode("cp1250")
    assert declared_encoding(page) == "cp1250"
    assert declared_encoding(b'<?xml version="1.0" encoding="ISO-8859-1"?><DOC>') == "cp1252"
    assert declared_encoding(b'<meta http-equiv="Content-Type" content="text/html; charset=gb2312">') == "gb18030"
    assert detect_encoding(page, declared="cp1250") == "cp1250"
    # UTF-8 that is valid is believed before a declaration.
    assert detect_encoding('<meta charset="latin-1">é'.encode(), declared="cp1252") == "utf-8"


@pytest.mark.parametrize("name", [b"unicode_escape", b"utf-7", b"rot13", b"zip", b"utf-16", b"no-such", b"undefined"])
def test_a_declaration_that_is_no_charset_is_ignored(name):
    assert declared_encoding(b"<meta charset=" + name + b">") is None


def test_the_encoding_can_be_forced(reading):
    assert reading("a.txt", "Dvořák".encode("cp1250"), encoding="cp1250").texts == ["Dvořák"]
    with pytest.raises(UsageError, match="unknown text encoding 'utf-9'"):
        ReadOptions(encoding="utf-9")
    with pytest.raises(UsageError, match="unknown text encoding 'zip'"):
        ReadOptions(encoding="zip")


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"])))
def test_every_utf8_text_is_taken_for_utf8(text):
    assert detect_encoding(text.encode()) == "utf-8"


@given(st.binary(max_size=300), st.sampled_from([None, "cp1252", "gb18030"]), st.booleans())
def test_detection_ends_in_a_codec_that_decodes_or_in_bad_input(data, declared, complete):
    try:
        codec = detect_encoding(data, declared, complete)
    except BadInput:
        return
    text, line = decode(data, codec)
    assert isinstance(text, str)
    assert line is None or 1 <= line <= text.count("\n") + 1


@given(st.text())
def test_normal_newlines_are_those_of_splitting(text):
    assert normalize_newlines(text) == text.replace("\r\n", "\n").replace("\r", "\n")


@given(st.text(st.characters()))
def test_well_formed_text_can_be_encoded_and_is_otherwise_the_same(text):
    assert well_formed(text).encode() is not None
    if not any("\ud800" <= c <= "\udfff" for c in text):
        assert well_formed(text) == text
