"""A generator whose questions are known, passages for it, and what an index finds by them."""

from __future__ import annotations

import xsearch
from xsearch.core import Document
from xsearch.engine import open_index
from xsearch.engine.recipe import AugmentSettings, FusionSettings, Recipe
from xsearch.generate import Made
from xsearch.storage import check_index

TEXTS = {
    "iran": "انتخابات ریاست جمهوری در ایران با مشارکت پایین برگزار شد.",
    "bees": "Bienen bestäuben im Frühling die Obstbäume am Bodensee.",
    "canal": "Der Kanal verbindet zwei Meere und wird von Schiffen befahren.",
}
ASKED = {"iran": ["who stood for president"], "bees": ["pollination of orchards", "spring"], "canal": ["shipping lane"]}


class Known:
    """Makes the questions of a table, and remembers which passages it was given."""

    name, fingerprint, batch, is_running_text = "known", "1", 1, True

    def __init__(self, asked=None):
        self.asked = asked or {"en": ASKED}
        self.given = []

    def settings(self):
        return {}

    def speaks(self, lang):
        return lang in self.asked

    def generate(self, passages, lang, count, seed):
        self.given += [(lang, passage.number) for passage in passages]
        by_text = {text: id for id, text in TEXTS.items()}
        return [
            [Made(text) for text in self.asked[lang].get(by_text.get(passage.text), ())[:count]] for passage in passages
        ]


def settings(*use, langs=("en",), **others):
    return AugmentSettings("known", langs, use=use or ("words",), **others)


def build(folder):
    """An index of the texts, of words and vectors, without questions."""
    recipe = Recipe("test", retrievers=("bm25", "dense"), fusion=FusionSettings(weights={"generated": 3.0}))
    with xsearch.create(folder, recipe=recipe) as index, index.writer() as writer:
        for id, text in TEXTS.items():
            writer.add(Document(id, text, lang="fa" if id == "iran" else "de"))
    return folder


def found(folder, text, **options):
    with open_index(folder) as index:
        return [hit.id for hit in index.search(text, lang="en", **options)]


def whole(folder):
    return [problem.message for problem in check_index(folder) if problem.level == "error"] == []


def dense_scores(folder):
    texts = ["shipping lane", "spring orchards", "Wahl im Iran", "a poem"]
    with open_index(folder) as index:
        found: dict[str, list[float]] = {}
        for text in texts:
            for hit in index.search(text, lang="en", retrievers=["dense"], explain=True):
                found.setdefault(hit.id, []).append(hit.explain[0].score)
    return found
