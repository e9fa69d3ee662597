"""Measures of collections that have no judgments: a passage is as good as the answer that stands in it.

`token_recall` is XOR-Retrieve's, `answer_at` that of open-domain question answering and MKQA.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any
from unicodedata import normalize

from xsearch.core.extras import need
from xsearch.lang import sentences

TextOf = Callable[[str], str | None]
"""Document id → its text without the title; None where there is no such document."""
ANSWER_MEASURES = ("R@kt", "Answer")
"""R@2kt and R@5kt, in thousands of tokens; Answer@100, in passages."""
REMEMBERED = 20_000
"""Documents whose tokens are kept: the same ones are found for many questions."""
_END = "\x1f"


class Passages:
    """Documents as the measures read them, each cut into tokens once."""

    def __init__(self, text_of: TextOf) -> None:
        self.words = lru_cache(REMEMBERED)(lambda document: treebank_words(text_of(document) or ""))
        self.plain = lru_cache(REMEMBERED)(lambda document: plain_tokens(text_of(document) or ""))

    def score(self, own: str, cutoff: int, ranking: Iterable[str], answers: Iterable[str]) -> float:
        """The value of a measure of `ANSWER_MEASURES` for one topic."""
        if own == "R@kt":
            return token_recall(map(self.words, ranking), answers, cutoff)
        return answer_at(map(self.plain, ranking), answers, cutoff)


def token_recall(passages: Iterable[Sequence[str]], answers: Iterable[str], tokens: int) -> float:
    """R@kt of XOR-Retrieve (Asai et al., NAACL 2021, section 4.1): 1 when one of `answers` stands in the first
    `tokens` tokens of the passages, else 0.

    passages: the tokens of each (`treebank_words`), best passage first. As in the authors' evaluation, the tokens are
    joined by blanks and an answer must be a substring of that, in the same case. Published figures are means over
    languages of the means over questions.
    """
    kept: list[str] = []
    for passage in passages:
        kept += passage
        if len(kept) >= tokens:
            break
    text = " ".join(kept[:tokens])
    return float(any(answer in text for answer in answers))


def answer_at(passages: Iterable[str], answers: Iterable[str], cutoff: int) -> float:
    """1 when one of the first `cutoff` passages has an answer in it, else 0: top-k accuracy of open-domain question
    answering (Karpukhin et al., EMNLP 2020), R@k of MKQA (Izacard et al., TMLR 2022).

    passages: `plain_tokens` of each, best first. An answer must be there token by token, in any case.
    """
    wanted = [plain_tokens(answer) for answer in answers]
    wanted = [answer for answer in wanted if answer != _END]
    return float(
        any(answer in passage for _, passage in zip(range(cutoff), passages, strict=False) for answer in wanted)
    )


def treebank_words(text: str) -> list[str]:
    """Words and signs as the Penn Treebank cuts English, by NLTK's `word_tokenize`; but sentences are cut as
    everywhere here, since NLTK's own data would have to be downloaded."""
    tokenizer: Any = _treebank()
    return [token for start, end in sentences(text, "en") for token in tokenizer.tokenize(text[start:end])]


@lru_cache(1)
def _treebank() -> Any:
    return need("nltk.tokenize", "eval", "recall within tokens").NLTKWordTokenizer()


def plain_tokens(text: str) -> str:
    """Tokens of `text` in small letters, each ended by U+001F and the first begun by it: so a sequence of tokens is in
    another exactly when its string is in the other's.

    Cut as DPR's evaluation does it (Karpukhin et al. 2020): runs of letters, digits and marks, and every other
    character that is neither blank nor control, after canonical decomposition.
    """
    tokens = _plain_pattern().findall(normalize("NFD", text))
    return _END + "".join(token.lower() + _END for token in tokens)


@lru_cache(1)
def _plain_pattern() -> Any:
    return need("regex", "eval", "looking for answers").compile(r"[\p{L}\p{N}\p{M}]+|[^\p{Z}\p{C}]")
