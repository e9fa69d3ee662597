"""Ranking modules: pairs in one language, scored by the base with that language's module in it and the ranking module
on top (Litschko et al. 2022). Base and language module stay as they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch

from xsearch.core import FloatArray
from xsearch.encode import Runtime
from xsearch.encode.card import SourceNote
from xsearch.encode.neural.load import window
from xsearch.encode.neural.modules.base import Base, load_base
from xsearch.encode.neural.modules.card import HEAD, Module, ModuleCard
from xsearch.encode.neural.modules.folder import LanguageModules
from xsearch.encode.neural.modules.pairs import PairTokens
from xsearch.encode.neural.modules.ranker import on_device
from xsearch.encode.neural.tokens import pad_number
from xsearch.train.neural.modules.fitting import Task, fit_module
from xsearch.train.neural.modules.pairs import Candidates, Found, pair_data
from xsearch.train.neural.modules.plan import Plan
from xsearch.train.neural.modules.sources import key_of
from xsearch.train.progress import OnProgress

RANKING = "ranking"
"""The folder of ranking modules in the folder of a reranker, and the name of one that was given none."""
Scorer = Callable[[Sequence[str], Sequence[str]], Any]
"""(queries, passages) → a tensor of their scores, (n,)."""


def train_ranking(
    base: str | Path,
    found: Found,
    origins: Sequence[Path],
    out: Path,
    plan: Plan,
    languages: Path | None = None,
    exclude: Sequence[Path] = (),
    runtime: Runtime | None = None,
    on_progress: OnProgress = lambda _: None,
) -> Path:
    """Learn a ranking module from pairs in `plan.lang`, into ``out/ranking``; returns its card's path.

    languages: the folder whose module of that language (or its nearest relative) stands below it; None for none.
    found: pairs; origins: the files they come from, for the card. Raises what `pair_data`, `load_base` and
    `LanguageModules` raise, and `BadInput` where a loss is not finite.
    """
    plan = plan.published("ranking")
    data = pair_data(found, plan.seed, exclude)
    loaded = load_base(base, runtime or Runtime(precision="fp32"))
    plan = msgspec.structs.replace(plan, length=window(plan.length, loaded.as_first()))
    under = _under(languages, plan.lang, loaded)
    card = ModuleCard(
        name=plan.name or RANKING,
        kind=plan.kind,
        role="ranking",
        base=loaded.fingerprint,
        lang=plan.lang,
        base_name=loaded.name,
        under=under[0].card.fingerprint if under else "",
        licence=plan.licence,
        description=f"{len(data.train):,} pairs" + (f" on top of '{under[0].card.name}'" if under else ""),
        sources=tuple(SourceNote(path.name, plan.licence or "unknown") for path in origins),
    )
    pairs = PairTokens(loaded.tokenizer, plan.length)

    def scorer(named: Mapping[str, Any]) -> Scorer:
        return lambda queries, passages: _scores(loaded, pairs, named, queries, passages)

    held = data.measured(plan.negatives, plan.seed)
    task = Task(
        base=loaded,
        plan=plan,
        card=card,
        under=under,
        draw=lambda number: data.batch(number, plan.batch, plan.negatives, plan.seed),
        loss=lambda batch, named: candidates_loss(scorer(named), batch),
        measure=lambda named: {"MRR": reciprocal_rank(scorer(named), held)},
        key=key_of(
            plan,
            loaded.fingerprint,
            (text for pair in data.train for text in (pair.query, pair.positive, *pair.negatives)),
            card.under,
        ),
    )
    return fit_module(task, out / RANKING, on_progress)


def candidates_loss(score: Scorer, batch: Candidates) -> Any:
    """The mean over queries q of  −log exp s(q, p⁺) / Σ_p exp s(q, p),  p over q's passages, p⁺ the one that answers
    (localised contrastive estimation: Gao et al. 2021, equation 2)."""
    sizes = [len(passages) for passages in batch.passages]
    queries = [query for query, size in zip(batch.queries, sizes, strict=True) for _ in range(size)]
    scores = score(queries, [passage for passages in batch.passages for passage in passages]).float()
    # Queries may have different numbers of passages.
    table = scores.new_full((len(sizes), max(sizes)), -torch.inf)
    inside = torch.arange(max(sizes)) < torch.tensor(sizes)[:, None]
    table[inside.to(scores.device)] = scores
    return torch.nn.functional.cross_entropy(table, torch.zeros(len(sizes), dtype=torch.int64, device=scores.device))


def reciprocal_rank(score: Scorer, batch: Candidates) -> float:
    """The mean reciprocal rank of the passage that answers among each query's; of equal scores it is the last."""
    ranks = []
    for query, passages in zip(batch.queries, batch.passages, strict=True):
        scores: FloatArray = score([query] * len(passages), passages).float().cpu().numpy()
        ranks.append(1 + int((scores[1:] >= scores[0]).sum()))
    return float(np.mean(1 / np.array(ranks)))


def _scores(
    base: Base, pairs: PairTokens, named: Mapping[str, Any], queries: Sequence[str], passages: Sequence[str]
) -> Any:
    found = pairs.tokenise(queries, passages)
    grids = found.padded(np.arange(len(queries)), pad_number(base.tokenizer))
    numbers, mask, types = (torch.from_numpy(grid).to(base.device) for grid in grids[:3])
    first = base.states(numbers, mask, types)[:, 0]
    return torch.nn.functional.linear(first, named[HEAD[0]], named[HEAD[1]])[:, 0]


def _under(languages: Path | None, lang: str, base: Base) -> tuple[Module, ...]:
    if languages is None:
        return ()
    folder = LanguageModules(languages, base.fingerprint)
    code = folder.language(lang)
    if code is None:
        return ()
    return (on_device(folder.module(code), base),)
