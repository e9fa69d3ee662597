"""The words of a text as spellings: what the retriever of names keeps of a passage and looks for of a query.

A form is a word folded without regard to its language and without a stemmer, since a stem is no spelling. Scripts
without spaces are cut where the script changes: a run of katakana is a word and mostly a name; of Han come pairs of
characters, which pinyin queries reach, runs of characters that write foreign names and, in Japanese, the readings of
words (`lang.readings`); of Thai, Lao, Khmer and Burmese two and four orthographic units from each on, in which a name
begins wherever it stands; hiragana and the rest are kept when they are short enough to be a word.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from itertools import chain, islice
from operator import add

from xsearch.core import Spelling
from xsearch.lang.codes import UNKNOWN, base_language
from xsearch.lang.fold import fold_each, folding, traditional_to_simplified
from xsearch.lang.known import Known
from xsearch.lang.pinyin import character_pairs, syllables
from xsearch.lang.readings import Readings, readings_of
from xsearch.lang.romanise import FAMILIES, HEARD, family, is_heard, pinyin_key, sound_key
from xsearch.lang.scripts import COMMON, SYLLABIC, script_of
from xsearch.lang.words import FIRST_UNIT, unit_run_pattern, units, word_pattern

LONGEST = 40
"""Characters of a form; what is longer is no word."""
_SHORT_RUN = 8
WINDOWS = (2, 4)
"""Units of a form of a syllabic script. What follows a name of fewer is taken for an ending: one size finds several."""
LONGEST_NAME = 20
"""Characters of a run of such a script that is looked up whole."""
_GENERATION = 1 << 17
_NOT_HAN = FAMILIES.replace("z", "")

# Characters that Chinese writes the syllables of foreign names with; three of them in a row are mostly one.
_FOREIGN_SYLLABLES = (
    "阿埃艾爱安昂奥巴白拜班邦保鲍贝本比彼别宾波博伯勃布查达戴丹当德登迪蒂丁杜敦多厄恩尔耳法凡范菲费芬丰夫弗福甫盖甘冈戈格根古瓜圭哈海"
    "汉豪赫亨洪胡华怀霍基吉加贾杰金卡凯坎康考柯科克肯孔库夸奎昆拉莱赖兰朗劳勒雷黎里利丽莉连廉列林琳隆卢鲁伦罗洛吕马玛迈麦曼芒毛茅梅门蒙"
    "米密敏明莫墨默姆穆内那娜纳乃尼涅宁纽农努诺欧帕派潘庞佩彭皮匹平珀蒲普奇齐契恰乔切琴琼丘热仁荣茹儒瑞若撒萨塞赛桑森沙珊绍舍申圣施什史"
    "士舒斯丝思苏孙索塔泰坦汤唐陶特腾提廷图托陀妥瓦万汪威韦维伟魏温文翁沃乌武伍西希锡夏肖歇谢欣辛雄休许雅亚扬姚耶叶伊因英尤约泽赞扎詹哲珍芝茨宗佐汗罕诃莎妮娅黛娃蕾茜"
)


def word_forms(text: str, lang: str = UNKNOWN) -> list[str]:
    """The forms of a text, each once, in the order in which they come; of Japanese, with readings of its kanji. None is
    empty or holds a space."""
    return joined_forms([text], [lang])[0].split()


def joined_forms(texts: Sequence[str], langs: Sequence[str]) -> list[str]:
    """The `word_forms` of every text, space-joined as indexes take them. Those of new words are made together, in
    a third of the time."""
    found = [""] * len(texts)
    is_japanese = [base_language(lang) == "ja" for lang in langs]
    for known, japanese in ((_known, False), (_known_japanese, True)):
        rows = [row for row, own in enumerate(is_japanese) if own is japanese]
        split = [word_pattern().findall(texts[row]) for row in rows]
        forms = known.of_all(list(chain.from_iterable(split)))
        for row, words in zip(rows, split, strict=True):
            if joined := " ".join(filter(None, islice(forms, len(words)))):
                found[row] = " ".join(dict.fromkeys(joined.split(" ")))
    return found


def query_spellings(
    text: str, weigh: Callable[[Sequence[str]], Sequence[float]], lang: str | None = None
) -> tuple[Spelling, ...]:
    """The words of a query as they are looked up by `retrieve.names`; each once, with what `weigh` says of it.

    lang: the query's language, where it is told. Han characters may be Japanese unless it is another, and are looked
    for by their readings too, outside of Han: where kana stand beside them, only those of names, since what the other
    words of a question sound like abroad is chance.

    Latin words that may be pinyin are looked for among Han characters too, two syllables at a time: where all words
    of the query are pinyin, across words as well ("jiaozi xian" for 饺子馅), else those with a capital.
    """
    words = list(dict.fromkeys(word_pattern().findall(text)))
    question = any(script_of(char) in ("Hira", "Kana") for char in text)
    found = {}
    for word, weight in zip(words, weigh(words), strict=True):
        for form in _asked_forms(word):
            if weight > 0:
                found[form, ""] = Spelling(form, sound_key(form), family(form), float(weight))
        if weight > 0 and (lang is None or base_language(lang) == "ja"):
            for reading, likely in chain.from_iterable(_readings(word, question)):
                found[reading, _NOT_HAN] = Spelling(
                    "", sound_key(reading), family(reading), float(weight) * likely, _NOT_HAN
                )
    latin = [word for word in words if word.isascii() and not word.isdigit()]
    cut = [syllables(word.lower()) for word in latin]
    if all(cut):
        cut = [tuple(chain.from_iterable(cut))]
    else:
        cut = [parts for word, parts in zip(latin, cut, strict=True) if word[0].isupper()]
    for pair in chain.from_iterable(map(character_pairs, cut)):
        found.setdefault((pair, "z"), Spelling("", pinyin_key(pair), "z", 1.0, "z"))
    return tuple(found.values())


def _asked_forms(word: str) -> tuple[str, ...]:
    """The forms of a query's word: a short run of a syllabic script is looked up as it stands, a longer one is none."""
    if script_of(word[0]) not in SYLLABIC:
        return tuple(_known[word].split())
    form = folding("general")(word)
    return (form,) if 1 < len(form) <= LONGEST_NAME and sound_key(form) else ()


def _forms_of_all(words: Sequence[str]) -> list[str]:
    """The forms of each match of `word_pattern`, space-joined."""
    # Arabic letters by their Arabic form: a keyboard's yeh and kaf, alef with and without hamza are one spelling.
    styles = ["arabic" if script_of(word[0]) == "Arab" else "general" for word in words]
    found = [""] * len(words)
    for style in ("arabic", "general"):
        places = [place for place, own in enumerate(styles) if own == style]
        for place, folded in zip(places, fold_each(folding(style), [words[place] for place in places]), strict=True):
            if len(folded) <= LONGEST and _is_plain(folded):
                found[place] = folded
            else:
                found[place] = " ".join(filter(_is_kept, _cut(folded)))
    return found


def _is_plain(folded: str) -> bool:
    """Whether a folded word is a form as it stands, as most are."""
    if folded.isascii():
        return len(folded) > 1 and folded.isalnum() and folded.islower() and folded[0].isalpha()
    return _plain().fullmatch(folded) is not None


@cache
def _plain() -> re.Pattern[str]:
    """Of letters that are heard, and what may follow the first. Abjads' articles are not heard; Hangul is no letter
    among others."""
    return re.compile(f"[{HEARD}अ-ह][0-9ьъऀ-ःऺ-़ा-ौ्{HEARD}अ-ह]+|[ابتثجحخدذرزسشصضطظغفقكلمنهوي]{{2,}}|[가-힣]{{2,}}")


@cache
def _han() -> re.Pattern[str]:
    return re.compile("[一-龥]+")


@cache
def _foreign() -> re.Pattern[str]:
    return re.compile(f"[{_FOREIGN_SYLLABLES}]{{3,}}")


def _with_readings(words: Sequence[str]) -> list[str]:
    """The same with the readings of kanji."""
    found = []
    for word, forms in zip(words, _forms_of_all(words), strict=True):
        readings = (reading for readings in _readings(word) for reading, _ in readings)
        found.append(" ".join(filter(None, [forms, *filter(_is_kept, readings)])))
    return found


_known = Known(_forms_of_all, _GENERATION, LONGEST)
_known_japanese = Known(_with_readings, _GENERATION, LONGEST)


def _is_kept(form: str) -> bool:
    return len(form) <= LONGEST and is_heard(form)


def _cut(folded: str) -> list[str]:
    parts = [part for part in word_pattern().findall(folded) if len(part) > 1]
    return [form for part in parts for form in (_run_forms(part) if _is_run(part) else [part])]


def _is_run(word: str) -> bool:
    # Most words are told apart by their first character: the expression need not be compiled for them.
    return word[0] >= FIRST_UNIT and unit_run_pattern().match(word) is not None


def _readings(word: str, names_only: bool = False) -> list[Readings]:
    """The readings of the words in each run of kanji, or of the names alone."""
    if not _is_run(word):
        return []
    runs = (part for script, part in _by_script(folding("general")(word)) if script == "Hani")
    return [readings for run in runs for readings in readings_of(run, names_only)]


def _run_forms(run: str) -> list[str]:
    forms: list[str] = []
    for script, part in _by_script(run):
        if script == "Hani":
            forms += _han_forms(part.translate(traditional_to_simplified()))
        elif script in SYLLABIC:
            forms += _syllabic_forms(units(part))
        elif len(part) > 1 and (script in ("Kana", "Hang") or len(part) <= _SHORT_RUN):
            forms.append(part)
    return forms


def _by_script(run: str) -> list[tuple[str, str]]:
    """The stretches of each script; marks and the long vowel have that of the character before."""
    if _han().fullmatch(run):
        return [("Hani", run)]
    found = []
    begin, script = 0, script_of(run[:1] or " ")
    for at, own in enumerate(map(script_of, run)):
        if own not in (script, COMMON):
            found.append((script, run[begin:at]))
            begin, script = at, own
    return [*found, (script, run[begin:])]


def _syllabic_forms(run: list[str]) -> list[str]:
    if len(run) <= max(WINDOWS):
        return ["".join(run)]
    return ["".join(run[at : at + size]) for size in WINDOWS for at in range(len(run) - size + 1)]


def _han_forms(run: str) -> list[str]:
    return [*map(add, run, run[1:]), *_foreign().findall(run)]
