import pytest

from xsearch.core.errors import UnknownLanguage
from xsearch.lang import language_name, macrolanguage, normalize_code, same_language, usual_script


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("zho", "zh"), ("chi", "zh"), ("cmn", "zh"), ("zh-Hans", "zh"), ("zh_CN", "zh"),
        ("zh-TW", "zh-Hant"), ("zh-Hant-HK", "zh-Hant"), ("zh-HK", "zh-Hant"),
        ("fas", "fa"), ("per", "fa"), ("pes", "fa"), ("prs", "fa"), ("rus", "ru"), ("deu", "de"), ("ger", "de"),
        ("sr-Cyrl", "sr"), ("sr-Latn", "sr-Latn"), ("srp", "sr"), ("sh", "sr-Latn"),
        ("pt-BR", "pt"), ("EN", "en"), (" en ", "en"), ("en-GB", "en"),
        ("no", "nb"), ("nob", "nb"), ("nno", "nn"), ("iw", "he"), ("in", "id"), ("zsm", "ms"), ("lvs", "lv"),
        ("fil", "tl"), ("ckb", "ckb"), ("swg", "swg"), ("kzj", "dtp"), ("uz-Cyrl", "uz-Cyrl"), ("az-Latn", "az"),
        ("und", "und"), ("mul", "mul"),
        ("Persian", "fa"), ("persian", "fa"), ("Farsi", "fa"), ("فارسی", "fa"), ("Deutsch", "de"), ("Türkçe", "tr"),
        ("turkce", "tr"), ("русский", "ru"), ("中文", "zh"), ("Chinese (Traditional)", "zh-Hant"),
        ("Norwegian Bokmål", "nb"), ("Serbian (Latin)", "sr-Latn"), ("Hebrew", "he"), ("Greek", "el"),
    ],
)  # fmt: skip
def test_codes_and_names_meet(given, code):
    assert normalize_code(given) == code


def test_normalizing_twice_changes_nothing():
    for code in ("zh-Hant", "sr-Latn", "uz-Cyrl", "de", "ckb", "und"):
        assert normalize_code(normalize_code(code)) == normalize_code(code)


def test_unknown_language_names_near_ones():
    with pytest.raises(UnknownLanguage, match=r"'Persan'.*fa \(Persian\)"):
        normalize_code("Persan")


@pytest.mark.parametrize("bad", ["", " ", "xx", "x", "qqq9", "klingonish", "d e", "de-", "\x00", "-"])
def test_what_is_no_language_is_refused(bad):
    with pytest.raises(UnknownLanguage):
        normalize_code(bad)


def test_one_language_in_two_scripts():
    assert same_language("zh", "zh-Hant")
    assert same_language("sr-Latn", "sr")
    assert not same_language("sr", "hr")
    assert not same_language("zh", "yue")


def test_what_a_dictionary_of_another_reads():
    pairs = {
        "apc": "ar",
        "arz": "ar",
        "yue": "zh",
        "zh-Hant": "zh",
        "de": "de",
        "sr-Latn": "sr",
        "und": "und",
    }
    assert {code: macrolanguage(code) for code in pairs} == pairs
    assert macrolanguage("tw") == macrolanguage("fat") == "ak"


def test_names_and_scripts():
    assert language_name("zh-Hant") == "Chinese (Traditional)"
    assert language_name("fa") == "Persian"
    assert language_name("und") == "unknown"
    assert [usual_script(c) for c in ("sr", "sr-Latn", "fa", "zh", "am")] == ["Cyrl", "Latn", "Arab", "Hans", "Ethi"]
