import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xsearch.lang import Identified, identify, identify_query, normalize_code
from xsearch.lang.profiles import Profiles, features, features_of_all, learn, profiles, words_of

TEXTS = {
    "en": "The government announced on Tuesday that elections will be held next spring.",
    "de": "Die Regierung kündigte am Dienstag an, dass im nächsten Frühjahr gewählt wird.",
    "fr": "Le gouvernement a annoncé mardi que les élections auront lieu au printemps prochain.",
    "es": "El gobierno anunció el martes que las elecciones se celebrarán la próxima primavera.",
    "pt": "O governo anunciou na terça-feira que as eleições serão realizadas na próxima primavera.",
    "it": "Il governo ha annunciato martedì che le elezioni si terranno la prossima primavera.",
    "nl": "De regering heeft dinsdag aangekondigd dat er volgend voorjaar verkiezingen worden gehouden.",
    "sv": "Regeringen meddelade på tisdagen att valet ska hållas nästa vår.",
    "fi": "Hallitus ilmoitti tiistaina, että vaalit pidetään ensi keväänä.",
    "pl": "Rząd ogłosił we wtorek, że wybory odbędą się wiosną przyszłego roku.",
    "cs": "Vláda v úterý oznámila, že volby se budou konat příští rok na jaře.",
    "hu": "A kormány kedden bejelentette, hogy jövő tavasszal választásokat tartanak.",
    "tr": "Hükümet salı günü seçimlerin önümüzdeki baharda yapılacağını açıkladı.",
    "vi": "Chính phủ hôm thứ Ba thông báo rằng cuộc bầu cử sẽ được tổ chức vào mùa xuân tới.",
    "id": "Pemerintah mengumumkan pada hari Selasa bahwa pemilihan umum akan diadakan tahun depan karena hujan.",
    "sw": "Serikali ilitangaza Jumanne kwamba uchaguzi utafanyika mwaka ujao nchini Kenya.",
    "ha": "Gwamnati ta sanar a ranar Talata cewa za a gudanar da zaɓe a shekara mai zuwa.",
    "so": "Dowladda ayaa Talaadadii ku dhawaaqday in doorashada la qaban doono sannadka soo socda.",
    "yo": "Ìjọba kéde ní ọjọ́ Ìṣẹ́gun pé ìdìbò yóò wáyé ní ọdún tó ń bọ̀.",
    "zu": "Uhulumeni umemezele ngoLwesibili ukuthi ukhetho luzobanjwa ngonyaka ozayo.",
    "ru": "Правительство объявило во вторник, что выборы пройдут следующей весной.",
    "uk": "Уряд оголосив у вівторок, що вибори відбудуться наступної весни.",
    "bg": "Правителството обяви във вторник, че изборите ще се проведат следващата пролет.",
    "sr": "Влада је у уторак објавила да ће избори бити одржани следећег пролећа.",
    "kk": "Үкімет сейсенбі күні сайлау келесі көктемде өтетінін жариялады.",
    "ky": "Өкмөт шейшемби күнү шайлоо кийинки жазда өтөрүн жарыялады.",
    "mn": "Засгийн газар мягмар гарагт сонгууль ирэх хавар болно гэж мэдэгдэв.",
    "ar": "أعلنت الحكومة يوم الثلاثاء أن الانتخابات ستجرى في الربيع المقبل.",
    "fa": "دولت روز سه‌شنبه اعلام کرد که انتخابات بهار آینده برگزار خواهد شد.",
    "ur": "حکومت نے منگل کو اعلان کیا کہ انتخابات اگلے موسم بہار میں ہوں گے۔",
    "ps": "حکومت د سه شنبې په ورځ اعلان وکړ چې ټاکنې به راتلونکی پسرلي کې ترسره شي.",
    "ckb": "حکومەت ڕۆژی سێشەممە ڕایگەیاند کە هەڵبژاردنەکان بەهاری داهاتوو بەڕێوەدەچن.",
    "ug": "ھۆكۈمەت سەيشەنبە كۈنى سايلامنىڭ كېلەر يىلى ئۆتكۈزۈلىدىغانلىقىنى ئېلان قىلدى.",
    "hi": "सरकार ने मंगलवार को घोषणा की कि चुनाव अगले वसंत में होंगे।",
    "mr": "सरकारने मंगळवारी जाहीर केले की निवडणुका पुढील वर्षी होतील.",
    "ne": "सरकारले मंगलबार घोषणा गर्‍यो कि चुनाव अर्को वर्ष हुनेछ।",
    "bn": "সরকার মঙ্গলবার ঘোষণা করেছে যে নির্বাচন আগামী বসন্তে অনুষ্ঠিত হবে।",
    "am": "መንግሥት ምርጫው በሚቀጥለው ዓመት እንደሚካሄድ ማክሰኞ አስታወቀ።",
    "he": "הממשלה הודיעה ביום שלישי שהבחירות ייערכו באביב הבא.",
    "el": "Η κυβέρνηση ανακοίνωσε την Τρίτη ότι οι εκλογές θα γίνουν την επόμενη άνοιξη.",
    "th": "รัฐบาลประกาศเมื่อวันอังคารว่าจะมีการเลือกตั้งในฤดูใบไม้ผลิหน้า",
    "km": "រដ្ឋាភិបាលបានប្រកាសថាការបោះឆ្នោតនឹងធ្វើឡើងនៅឆ្នាំក្រោយ",
    "my": "အစိုးရက ရွေးကောက်ပွဲကို လာမည့်နှစ်တွင် ကျင်းပမည်ဟု ကြေညာခဲ့သည်။",
    "ta": "அடுத்த ஆண்டு தேர்தல் நடைபெறும் என்று அரசு அறிவித்தது.",
    "zh": "政府周二宣布，选举将于明年春天举行。",
    "zh-Hant": "政府週二宣布，選舉將於明年春天舉行。",
    "ja": "政府は火曜日、選挙を来春に実施すると発表した。",
    "ko": "정부는 화요일에 내년 봄에 선거가 실시될 것이라고 발표했다.",
}


@pytest.mark.parametrize("lang", TEXTS)
def test_a_sentence_is_enough(lang):
    (found,) = identify([TEXTS[lang]])
    assert found.lang == lang
    assert 0.15 < found.confidence <= 1


def test_serbian_in_both_alphabets():
    latin = "Vlada je u utorak objavila da će izbori biti održani sledećeg proleća."
    (found,) = identify([latin], among=["sr"])
    assert (found.lang, found.script) == ("sr-Latn", "Latn")
    assert identify([latin])[0].lang in ("sr-Latn", "hr")


def test_scripts_are_named():
    expected = {"en": "Latn", "ru": "Cyrl", "fa": "Arab", "zh": "Hans", "zh-Hant": "Hant", "ja": "Jpan", "ko": "Kore"}
    assert {k: f.script for k, f in zip(expected, identify([TEXTS[k] for k in expected]), strict=True)} == expected


def test_nothing_to_go_by_is_unknown():
    assert identify(["", "12 345", "!?", "\x00", "x", "é 1"]) == [
        *[Identified("und", "Zyyy", 0.0)] * 4, *[Identified("und", "Latn", 0.0)] * 2,
    ]  # fmt: skip
    assert identify([]) == []


def test_code_in_latin_letters_does_not_hide_the_language():
    assert identify(["Команда показывает файлы: `ls --all --human-readable /path/to/dir`"])[0].lang == "ru"


def test_among_limits_the_choice():
    assert identify([TEXTS["pt"]], among=["en", "es"])[0].lang == "es"
    assert identify([TEXTS["zh"]], among=["zh-Hant", "ja"])[0].lang in ("zh", "zh-Hant")
    # None of them is written in the text's script: the limit says nothing.
    assert identify([TEXTS["ru"]], among=["en", "zh"])[0].lang == "ru"


@pytest.mark.parametrize("lang", ["vi", "yo", "de", "ko", "hi", "ru"])
def test_decomposed_text_is_the_same_language(lang):
    assert identify([unicodedata.normalize("NFD", TEXTS[lang])]) == identify([TEXTS[lang]])


def test_a_batch_is_its_texts_one_by_one():
    texts = [*TEXTS.values(), "", "12", "Straße"]
    assert identify(texts) == [found for text in texts for found in identify([text])]


def test_queries_with_evidence_are_sure():
    for query, lang in [
        ("presidential elections in Iran", "en"), ("Präsidentschaftswahlen im Iran", "de"), ("выборы президента", "ru"),
        ("elecciones presidenciales en Irán", "es"), ("대통령 선거", "ko"), ("总统选举", "zh"), ("大統領の選挙", "ja"),
        ("انتخابات ریاست جمهوری ایران", "fa"), ("राष्ट्रपति चुनाव कैसे होते हैं", "hi"),
    ]:  # fmt: skip
        assert identify_query(query)[0][0] == lang, query


def test_queries_without_stay_open():
    assert {lang for lang, _ in identify_query("東京")} >= {"zh-Hant", "ja"}
    assert len(identify_query("Obama")) > 1
    assert identify_query("2024") == identify_query("") == (("und", 1.0),)


def test_languages_of_the_index_come_first():
    assert identify_query("Obama", ["en", "fa"])[0][0] == "en"
    assert identify_query("Präsidentschaftswahlen im Iran", ["en", "fa"])[0][0] == "de"


@settings(deadline=None, max_examples=150)
@given(st.text(st.characters(exclude_categories=()), max_size=60), st.sampled_from([None, ["en"], ["zh", "fa", "sr"]]))
def test_any_text_is_identified(text, among):
    (found,) = identify([text], among)
    assert normalize_code(found.lang) == found.lang
    assert 0 <= found.confidence <= 1
    candidates = identify_query(text, among)
    assert 1 <= len(candidates) <= 4
    assert sum(weight for _, weight in candidates) == pytest.approx(1)
    assert [w for _, w in candidates] == sorted((w for _, w in candidates), reverse=True)


def test_learnt_profiles_follow_the_formula():
    # Two languages of one word each in so few buckets that every count can be written down.
    made = learn({"aa": ["ab ab ab"], "bb": ["cd"]}, buckets=64, prior=2.0)
    counts = np.zeros((64, 2))
    for column, (word, times) in enumerate([("ab", 3), ("cd", 1)]):
        for bucket in features(word, 64):
            counts[bucket, column] += times
    totals = counts.sum(axis=0)
    mean = (counts / totals).mean(axis=1) + 1e-9
    expected = np.log((counts + 2.0 * mean[:, None]) / (totals + 2.0) / mean[:, None])
    buckets = features("ab", 64)
    logits = made.logits([["ab"]])[0] * np.sqrt(len(buckets))
    np.testing.assert_allclose(
        logits, expected[buckets].sum(axis=0), atol=0.5 * len(buckets) * np.abs(expected).max() / 127
    )
    assert made.langs == ("aa", "bb")
    assert made.logits([["ab"], [], ["cd", "cd"]]).argmax(axis=1).tolist() == [0, 0, 1]


def test_word_sums_are_the_same_after_the_cache_was_emptied(monkeypatch):
    monkeypatch.setattr("xsearch.lang.profiles._CACHED_WORDS", 4)
    shipped = profiles("Latn")
    fresh = Profiles(shipped.langs, shipped._weights, shipped._scale)
    texts = [words_of(TEXTS[lang]) for lang in ("en", "de", "fr")]
    np.testing.assert_allclose(np.vstack([fresh.logits([t]) for t in texts]), shipped.logits(texts), rtol=1e-5)


@given(st.lists(st.text(st.characters(exclude_categories=()), max_size=24), min_size=1))
def test_features_of_many_words_are_those_of_each(words):
    found, counts = features_of_all(words, 1 << 16)
    ends = np.cumsum(counts).tolist()
    each = [sorted(found[end - count : end].tolist()) for end, count in zip(ends, counts.tolist(), strict=True)]
    assert each == [sorted(features(word, 1 << 16)) for word in words]
