import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xsearch.core.errors import MissingExtra, UnknownLanguage, UsageError
from xsearch.core.extras import have
from xsearch.lang import Token, analyzer, coverage
from xsearch.lang.fold import folding
from xsearch.lang.tables import rows
from xsearch.lang.words import units, whole_units_pattern

# Pairs of spellings that a reader takes for the same word.
SAME = [
    ("de", "Müller", "Muller"), ("de", "Müller", "Mueller"), ("de", "Straße", "STRASSE"), ("de", "Häuser", "hauser"),
    ("fr", "élections", "ELECTIONS"), ("fr", "élevées", "elevees"), ("fr", "cœur", "coeur"),
    ("es", "elección", "eleccion"), ("es", "niños", "ninos"), ("pt", "eleições", "eleicoes"),
    ("vi", "Việt Nam đổi mới", "viet nam doi moi"), ("pl", "Łódź", "lodz"), ("pl", "wybory ósme", "wybory osme"),
    ("cs", "příští", "pristi"), ("tr", "İstanbul", "istanbul"), ("tr", "ISPARTA", "ısparta"), ("tr", "ışık", "isik"),
    ("az", "Bakı", "BAKI"), ("el", "εκλογές", "εκλογες"), ("el", "ΟΔΟΣ", "οδός"),
    ("ru", "ёлка", "елка"), ("ru", "за\u0301мок", "замок"), ("da", "på", "pa"), ("is", "þjóð", "thjod"),
    ("ro", "ţară", "țară"), ("ha", "ɗan ƙasa", "dan kasa"), ("yo", "Ọ̀ṣun", "osun"),
    ("ar", "مُحَمَّد", "محمد"), ("ar", "الإنتخابات", "الانتخابات"), ("ar", "مـــدرسة", "مدرسه"), ("ar", "على", "علي"),
    ("fa", "كتاب", "کتاب"), ("fa", "علي", "علی"), ("fa", "کتاب\u200cها", "کتابها"), ("fa", "آب", "اب"),
    ("fa", "۱۴۰۳", "1403"), ("ur", "\u0647\u0645\u06cc\u06ba", "\u0647\u0645\u064a\u06ba"),
    ("he", "שָׁלוֹם", "שלום"), ("he", 'צה"ל', "צה״ל"), ("he", "ג'ורג'", "ג׳ורג׳"),
    ("hi", "लड़की", "लडकी"), ("hi", "\u0921\u093c", "\u095c"), ("hi", "हँसी", "हंसी"), ("hi", "२०२४", "2024"),
    ("bn", "চাঁদ", "চাদ"), ("am", "ሐገር", "ሀገር"), ("am", "ዓለም", "አለም"),
    ("sr", "председнички избори", "predsednički izbori"), ("sr", "Ђоковић", "Djokovic"), ("sr", "љубав", "ljubav"),
    ("sr-Latn", "šećer", "шећер"), ("uk", "п'ять", "п’ять"), ("uk", "п’ять", "пять"),
    ("zh", "臺灣總統選舉", "台湾总统选举"), ("zh-Hant", "臺灣", "台湾"),
    ("ja", "ﾃﾞｰﾀﾍﾞｰｽ", "データベース"), ("ja", "ＡＢＣ１２３", "abc123"), ("en", "ﬁne ｗｉｄｅ", "fine wide"),
    ("ko", "선거", unicodedata.normalize("NFD", "선거")), ("th", "กำ", "กำ"), ("en", "so\u00adft", "soft"),
]  # fmt: skip


@pytest.mark.parametrize(("lang", "one", "other"), SAME)
def test_spellings_of_a_word_meet(lang, one, other):
    terms = analyzer(lang).terms
    assert terms(one) == terms(other) != []


@pytest.mark.parametrize(
    ("lang", "text"),
    [
        ("de", "Grüße aus Köln"), ("fr", "l’été à Besançon"), ("vi", "cuộc bầu cử"), ("hi", "लड़की"), ("el", "Άνθρωπος"),
        ("ja", "ガギグ ぱぴぷ"), ("ar", "آمال"), ("ko", "대통령 선거"), ("ru", "йод всё"), ("bn", "নির্বাচনের ড়য়"),
    ],
)  # fmt: skip
def test_decomposed_text_has_the_same_terms(lang, text):
    decomposed = unicodedata.normalize("NFD", text)
    assert analyzer(lang).terms(decomposed) == analyzer(lang).terms(text)


@pytest.mark.parametrize(
    ("lang", "one", "other"),
    [("ru", "йод", "иод"), ("uk", "їжак", "іжак"), ("de", "Bar", "Bär2"), ("ja", "機", "机"), ("hi", "बाल", "बल")],
)
def test_different_words_stay_apart(lang, one, other):
    assert analyzer(lang).terms(one) != analyzer(lang).terms(other)


def test_what_terms_look_like():
    code = "The elections in C++ and C#, o'Neill's path/to/file [-l|--list] 3.14 a@b.com"
    terms = "the elect in c++ and c# o neill s path to file l list 3 14 a b com"
    assert analyzer("en").terms(code) == terms.split()
    assert analyzer("uk").terms("вибори") == ["вибо", "ибор", "бори"]
    assert analyzer("zh").terms("总统选举 水 iPhone手机") == ["总统", "统选", "选举", "水", "iphone", "手机"]
    assert analyzer("ko").terms("대통령 선거") == ["대통", "통령", "선거"]
    assert analyzer("de").terms("Москва und 选举 سلام") == ["москва", "und", "选举", "سلام"]
    assert analyzer("und").terms("snake_case ﷺ") == ["snake", "case", "صلي", "الله", "عليه", "وسلم"]
    assert analyzer("en").terms("\u0301 -- … \u200d 😀 ") == []


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        ("เลือกตั้ง", ["เลื", "อ", "ก", "ตั้", "ง"]),
        ("ការបោះឆ្នោត", ["កា", "រ", "បោះ", "ឆ្នោ", "ត"]),
        ("ရွေးကောက်ပွဲ", ["ရွေး", "ကောက်", "ပွဲ"]),
        ("ເລືອກ", ["ເລື", "ອ", "ກ"]),
        ("ﾃﾞﾀ", ["ﾃﾞ", "ﾀ"]),
    ],
)
def test_units_keep_syllable_parts_together(run, expected):
    assert units(run) == expected


def test_tokens_point_at_words():
    text = "Die Häuser in 北京市, İran"
    assert [(t.terms, text[t.start : t.end]) for t in analyzer("de").tokens(text)] == [
        (("die",), "Die"), (("haus",), "Häuser"), (("in",), "in"), (("北京",), "北京"), (("京市",), "京市"),
        (("iran",), "İran"),
    ]  # fmt: skip


LANGS = [
    "en",
    "de",
    "tr",
    "ar",
    "fa",
    "he",
    "hi",
    "uk",
    "zh",
    "ja",
    "ko",
    "th",
    "km",
    "my",
    "sr",
    "am",
    "und",
    "tlh",
    "yi",
]
STYLES = ["general", "arabic", "persian", "urdu", "hebrew", "devanagari", "bengali", "amharic", "serbian", "turkish"]
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=60)
MANY_SCRIPTS = st.text(
    st.sampled_from("aZß1İı'’\" .+#é\u0301\u200cяйёЂשׁלם״مُٱى۵कि़ँกำเ\u0e49ទ្\u17d2ကျ်중ᄌ\u1173ガﾞ選选𠮷\ufe0f\ud800\x00ﷺ½"),
    max_size=40,
)


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(LANGS), ANY_TEXT | MANY_SCRIPTS)
def test_any_text_is_analyzed(lang, text):
    made = analyzer(lang)
    terms = made.terms(text)
    tokens = made.tokens(text)
    assert [term for token in tokens for term in token.terms] == terms
    assert all(term and not any(map(str.isspace, term)) for term in terms)
    assert all(0 <= t.start < t.end <= len(text) for t in tokens)
    assert [t.start for t in tokens] == sorted(t.start for t in tokens)
    assert 0 <= coverage(lang, text) <= 1


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(STYLES), ANY_TEXT | MANY_SCRIPTS)
def test_folding_is_idempotent(style, text):
    folded = folding(style)(text)
    assert folding(style)(folded) == folded
    assert unicodedata.is_normalized("NFC", folded)


def test_no_script_is_dropped():
    texts = {
        "en": "Presidential elections", "ru": "Президентские выборы", "am": "የፕሬዝዳንት ምርጫ", "th": "การเลือกตั้ง",
        "my": "ရွေးကောက်ပွဲ", "dv": "އިންތިޚާބު", "bo": "འོས་བསྡུ།", "si": "මැතිවරණය", "chr": "ᎠᏂᏣᎳᎩ", "ja": "大統領選挙です",
        "ug": "سايلام", "nqo": "ߒߞߏ", "sat": "ᱥᱟᱱᱛᱟᱲᱤ", "got": "𐌲𐌿𐍄", "yi": "וואַלן",
    }  # fmt: skip
    for text in texts.values():
        for lang in texts:
            assert coverage(lang, text) == 1.0, (lang, text)
    assert coverage("en", "1234 !?") == 1.0


def test_every_analyzer_of_the_table_can_be_made():
    for codes, *_ in rows("analyzers.tsv"):
        for code in codes.split():
            assert analyzer(code).terms("abcdefg 12")[-1] == "12"


def test_fingerprints_tell_analyzers_apart():
    made = [analyzer(lang) for lang in ("en", "de", "uk", "zh", "und")] + [
        analyzer("en", "4gram"),
        analyzer("en", "5gram"),
    ]
    assert len({a.fingerprint for a in made}) == len(made)
    assert analyzer("sr").fingerprint == analyzer("sr-Latn").fingerprint
    assert analyzer("zh").fingerprint == analyzer("zh-Hant").fingerprint
    assert analyzer("en").name == "en:snowball-english"
    assert analyzer("zho").name == analyzer("zh").name


def test_variants():
    assert analyzer("en", "words").terms("elections") == ["elections"]
    assert analyzer("en", "5gram").terms("elections") == ["elect", "lecti", "ectio", "ction", "tions"]
    with pytest.raises(UsageError, match="4gram"):
        analyzer("en", "porter9")
    with pytest.raises(UnknownLanguage):
        analyzer("no such language")
    assert analyzer("xq").terms("abcde") == ["abcd", "bcde"]  # well formed, though nobody has it


@pytest.mark.parametrize(
    ("lang", "variant", "module", "text", "term"),
    [
        ("zh", "jieba", "jieba", "北京的总统选举", "选举"),
        ("ja", "sudachi", "sudachipy", "東京の大統領選挙", "東京"),
        ("ko", "kiwi", "kiwipiepy", "대통령이 선거에서", "선거"),
        ("th", "newmm", "pythainlp", "การเลือกตั้งประธานาธิบดี", "ประธานาธิบดี"),
    ],
)
def test_segmenters_cut_words_or_say_what_to_install(lang, variant, module, text, term):
    if not have(module):
        with pytest.raises(MissingExtra, match=rf"\[{lang}\]"):
            analyzer(lang, variant)
        return
    tokens = analyzer(lang, variant).tokens(text)
    assert term in analyzer(lang, variant).terms(text)
    assert all(isinstance(t, Token) and t.end <= len(text) for t in tokens)
    assert [text[t.start : t.end] for t in tokens if t.terms == (term,)] == [term]


@given(
    st.text(alphabet=st.sampled_from("aAbs é\u0301.-'東京都ทำกก\u200cпять１1"), max_size=60),
    st.sampled_from(["en", "de", "zh", "th", "xq", "ru"]),
    st.data(),
)
def test_finding_terms_gives_the_tokens_that_have_them(text, lang, data):
    made = analyzer(lang)
    terms = data.draw(st.sets(st.sampled_from([*made.terms(text), "absent"])))
    assert made.find(text, terms) == [token for token in made.tokens(text) if terms & set(token.terms)]
    assert made.joined_terms([text, "", text]) == [" ".join(made.terms(text)), "", " ".join(made.terms(text))]


@pytest.mark.parametrize("style", ["general", "simplified", "arabic", "serbian"])
def test_whole_units_are_cut_and_folded_character_by_character(style):
    fold, matches = folding(style), whole_units_pattern().fullmatch
    whole = "".join(char for char in map(chr, range(0x10000)) if matches(char))
    assert units(whole) == list(whole)
    assert list(fold(whole)) == [fold(char) for char in whole]


@given(st.text(st.sampled_from("東京都體后ガか゛\u3099ー々서울한\u11a8龘"), min_size=1, max_size=12))
def test_runs_become_bigrams_of_folded_units(run):
    made = analyzer("zh")
    folded = [term for unit in units(run) if (term := folding("simplified")(unit))]
    expected = [a + b for a, b in pairwise(folded)] or folded
    assert made._runs_terms([run]) == [tuple(expected)]


@given(
    st.lists(st.text("abeinsäößçışЁелкамиًكتابها", min_size=1, max_size=9)),
    st.sampled_from(["de", "tr", "ru", "fa", "sr"]),
)
def test_stems_are_folded(words, lang):
    made = analyzer(lang)
    fold = folding(made._recipe.style)
    folded = [form for form in map(fold, words) if form]
    stems = [fold(stem).replace("\u200c", "") for stem in made._stem_all(folded)]
    assert list(made._reduced(folded)) == [(stem or word,) for stem, word in zip(stems, folded, strict=True)]
