"""The share of generated questions in a passage's vector, chosen for each pair of languages."""

import numpy as np
import pytest

import xsearch
from xsearch.core import Document, Judgment, Qrels, Topic, UsageError
from xsearch.engine.augmentation import augment
from xsearch.engine.recipe import AugmentSettings, Recipe
from xsearch.evaluate.alphas import FEWEST, choose_alphas, reciprocal_rank
from xsearch.generate import Made

GERMAN = [
    "Bienen bestäuben Obstbäume.",
    "Der Kanal verbindet zwei Meere.",
    "Das Brot kostet mehr als je zuvor.",
    "Die Brücke war eine Woche gesperrt.",
    "Der Winter kam früh in die Berge.",
    "Ein Zug fährt jede Stunde nach Norden.",
    "Die Ärztin half den Kindern im Dorf.",
    "Das Museum zeigt alte Uhren.",
    "Regen füllte die leeren Brunnen.",
    "Die Schule bekam neue Fenster.",
    "Fischer flicken abends ihre Netze.",
    "Am Hafen brannte ein Lager.",
]
CODES = [f"zq{chr(97 + i)}x" for i in range(len(GERMAN))]
"""Words that mean nothing: no passage is found by them unless its questions hold them."""


class Generator:
    name, fingerprint, batch, is_running_text = "known", "1", 64, False

    def settings(self):
        return {}

    def speaks(self, lang):
        return True

    def generate(self, passages, lang, count, seed):
        # English questions name their passage; Finnish ones name another.
        turn = 0 if lang == "en" else 5
        return [
            [Made(f"{CODES[(p.number + turn) % len(CODES)]} {CODES[p.number]}"[: None if lang == "en" else 4])]
            for p in passages
        ]


def test_questions_that_help_are_given_a_share_and_those_that_mislead_none(tmp_path):
    recipe = Recipe("test", retrievers=("dense",))
    with xsearch.create(tmp_path / "idx", recipe=recipe) as index, index.writer() as writer:
        for number, text in enumerate(GERMAN):
            writer.add(Document(str(number), text, lang="de"))
    topics = [Topic(str(n), code, "en") for n, code in enumerate(CODES)]
    topics += [Topic(str(n), text, "fi") for n, text in enumerate(GERMAN)]
    qrels = Qrels(tuple(Judgment(str(n), str(n), 1) for n in range(len(GERMAN))))
    chosen = {}

    def choose(snapshot):
        chosen.update(choose_alphas(snapshot, topics, qrels))
        return chosen

    settings = AugmentSettings("known", ("en", "fi"), use=("vectors",))
    augment(tmp_path / "idx", Generator(), settings, choose_alphas=choose)
    assert chosen.keys() == {"en-de", "fi-de"}
    assert chosen["en-de"] > 0
    assert chosen["fi-de"] == 0
    with xsearch.open(tmp_path / "idx") as index:
        assert index.snapshot.recipe.augment.alphas == chosen
        with pytest.raises(UsageError, match=f"no pair of languages has {FEWEST} topics"):
            choose_alphas(index.snapshot, topics[: FEWEST - 1], qrels)


def test_reciprocal_rank_by_hand():
    # Three documents with two, one and one windows; the second query's answer ties with another document.
    scores = np.array([[0.1, 0.9, 0.5, 0.2], [0.4, 0.1, 0.4, 0.3]], dtype=np.float32)
    answers = np.array([[False, True, False], [True, False, False]])
    assert reciprocal_rank(scores, np.array([0, 0, 1, 2]), answers) == pytest.approx((1 / 2 + 1 / 2) / 2)
