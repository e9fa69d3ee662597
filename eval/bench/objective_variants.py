"""What `objectives.py` compares: trainings of one small network, each with the one that lacks only what it adds."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from xsearch.train.neural.recipe import Extension, Fresh, Mining, Model, Schedule, Stage, Transforms, Tuning
from xsearch.train.neural.tasks import (
    Comparable,
    Continuous,
    Contrastive,
    Distillation,
    DualAlignment,
    HiddenStates,
    MaskedWords,
    OneToK,
    QueueContrast,
    TranslatedWords,
    TranslationRanking,
    Transliteration,
    WordAlignment,
)

NETWORK = Fresh(layers=2, hidden=96, heads=4, inner=192, vocabulary=12_000, texts=12_000, positions=128)
MODEL = Model(query_length=32, passage_length=64, pooling="mean")
CUT = 24
"""So many numbers of a vector are left where vectors are cut."""
BATCH, RATE = 24, 5e-4
ALONE, START = "retrieval alone", "start"
OBJECTIVES: dict[str, tuple[Any, ...]] = {
    "dual-alignment": (DualAlignment(layers=1),),
    "one-to-k": (OneToK(languages=3),),
    "translation-ranking": (TranslationRanking(),),
    "transliteration": (Transliteration(temperature=0.1),),
    "masked-words": (MaskedWords(),),
    "comparable": (Comparable(),),
    "infoxlm": (MaskedWords(), TranslatedWords(), QueueContrast(queue=1024, momentum=0.9)),
    "continuous": (Continuous(),),
    "xlm-align": (MaskedWords(), TranslatedWords(), WordAlignment()),
}


class Variant(NamedTuple):
    """A training. absence: the variant that it is compared with. base: the variant whose network it goes on from, ""
    for the fresh one. random: the fresh one is begun with random token vectors."""

    stages: tuple[Stage, ...]
    absence: str = ALONE
    model: Model = MODEL
    base: str = ""
    random: bool = False


def variants(steps: int) -> dict[str, Variant]:
    """All trainings by name, `steps` of an objective and as many of retrieval, or retrieval for as many in all. Those
    that others go on from, or are compared with, come before them."""
    retrieval = (Contrastive(both=True),)
    alone = (_stage("retrieval", 2 * steps, retrieval),)
    found = {START: Variant(()), ALONE: Variant(alone)}
    for name, tasks in OBJECTIVES.items():
        found[name] = Variant((_stage("before", steps, tasks), _stage("retrieval", steps, retrieval)))
    mining = Mining(negatives=4, queries=600, passages=1200)
    negatives = (Contrastive(both=True, negatives=4),)
    taught = (*negatives, Distillation(negatives=4, teacher_temperature=0.1))
    first = _stage("retrieval", steps, retrieval)
    found["mined negatives"] = Variant((first, _stage("mined", steps, negatives, mining=mining)))
    found["fused scores"] = Variant((first, _stage("mined", steps, taught, mining=mining)), "mined negatives")
    switched = Transforms(switch=0.3, lexicons=("lexicons/*.jsonl",))
    found["code switching"] = Variant((first, _stage("switched", steps, retrieval, transforms=switched)))
    found["random token vectors"] = Variant(alone, random=True)
    replace = msgspec.structs.replace
    words = Extension(words=2000, texts=NETWORK.texts)
    found["new words at random"] = Variant(alone, model=replace(MODEL, extension=replace(words, static="")))
    found["new words by neighbours"] = Variant(alone, "new words at random", replace(MODEL, extension=words))
    cuts = (Contrastive(both=True, cuts=(CUT, 48)),)
    found["matryoshka"] = Variant((_stage("retrieval", 2 * steps, cuts),))
    averaged = replace(alone[0], schedule=replace(alone[0].schedule, average=5))
    found["averaged checkpoints"] = Variant((averaged,))
    found["low-rank"] = Variant(alone, model=replace(MODEL, tuning=Tuning("lora", rank=8, alpha=16)))
    found["prompt"] = Variant(alone, START, replace(MODEL, tuning=Tuning("prompt", length=10)))
    half = replace(MODEL, layers=1)
    found["half the layers"] = Variant((first,), model=half, base=ALONE)
    like = _stage("like-the-teacher", steps, (HiddenStates(),))
    found["hidden-states"] = Variant((like, first), "half the layers", half, ALONE)
    return found


def _stage(name: str, steps: int, tasks: tuple[Any, ...], **others: Any) -> Stage:
    """A stage of small batches."""
    return Stage(name, Schedule(steps=steps, learning_rate=RATE), tasks, batch=BATCH, **others)
