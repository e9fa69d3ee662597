"""One call for `xsearch train reranker`: the module that is asked for, and the card that composes the reranker."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from xsearch.core import UsageError
from xsearch.encode import Runtime, checkpoint_named
from xsearch.encode.card import write_toml
from xsearch.encode.neural.modules import SETTINGS
from xsearch.encode.neural.modules.card import ModuleCard, read_module_card
from xsearch.rank.rerank import RerankerCard, read_reranker_card
from xsearch.rank.rerank.card import LANGUAGES
from xsearch.train.neural.modules.crossencoder import train_crossencoder
from xsearch.train.neural.modules.fitting import BEFORE
from xsearch.train.neural.modules.judgments import Judgments, judged_pairs
from xsearch.train.neural.modules.language import train_language
from xsearch.train.neural.modules.pairs import Found, found_pairs
from xsearch.train.neural.modules.plan import Plan
from xsearch.train.neural.modules.ranking import train_ranking
from xsearch.train.progress import OnProgress


def train_reranker(
    base: str,
    out: Path,
    plan: Plan,
    texts: Sequence[Path] = (),
    pairs: Sequence[Path] = (),
    judgments: Judgments | None = None,
    setting: str = "document",
    exclude: Sequence[Path] = (),
    runtime: Runtime | None = None,
    on_progress: OnProgress = lambda _: None,
) -> list[str]:
    """Train what texts, or pairs and judgments, are given for; returns a line on every file that was made.

    base: a checkpoint's folder or name on the hub, or the name of an encoder's card that says it. In `out` gather
    ``languages/`` and ``ranking/``, the modules, and the reranker's card, which `--rerank` takes.
    Raises `UsageError` for what does not go together, and what `train_language`, `train_ranking` and
    `train_crossencoder` raise.
    """
    base = checkpoint_named(base)
    ranks = bool(pairs or judgments)
    if bool(texts) == ranks:
        raise UsageError("give --text for a language module, or --pairs or --judgments for ranking, and not both")
    if plan.kind and not plan.lang:
        raise UsageError("--lang is missing: the language of the text, or of the pairs")
    if texts and not plan.kind:
        raise UsageError("--text trains a language module: say of which kind with --module adapter, sft, lora or ia3")
    if setting not in SETTINGS or (setting == "both" and plan.kind == "adapter"):
        raise UsageError(f"--setting '{setting}': {', '.join(SETTINGS)} are known, both not of adapters")
    if texts:
        path = train_language(base, texts, out, plan, exclude, runtime, on_progress)
        return [described(path, read_module_card(path)), *_without_languages(out)]
    found: Found = [*found_pairs(pairs), *(judged_pairs(judgments, plan.lang) if judgments else ())]
    origins = [*pairs, *([judgments.qrels] if judgments else [])]
    if not plan.kind:
        path = train_crossencoder(base, found, origins, out, plan, exclude, runtime, on_progress)
        return [f"{path}: a cross-encoder, in {path.parent / 'model'}"]
    languages = out / LANGUAGES if (out / LANGUAGES).is_dir() else None
    path = train_ranking(base, found, origins, out, plan, languages, exclude, runtime, on_progress)
    card = read_module_card(path)
    composed = write_reranker(base, out, card, path, "none" if languages is None else setting)
    return [described(path, card), f"{composed}: the reranker; xsearch query … --rerank {out}"]


def write_reranker(base: str, out: Path, module: ModuleCard, ranking: Path, setting: str) -> Path:
    """Write the card of the reranker that a ranking module and the language modules in `out` make."""
    name = out.resolve().name
    model = os.path.relpath(Path(base).resolve(), out.resolve()) if Path(base).is_dir() else base
    settings = {"ranking": ranking.relative_to(out).as_posix(), "setting": setting}
    if setting != "none":
        settings["languages"] = LANGUAGES
    card = RerankerCard(
        name=name,
        kind="reranker-modular",
        licence=module.licence,
        description=f"{module.kind} on {module.base_name}, ranking learnt in '{module.lang}'",
        model=model,
        max_length=int(module.training.get("length", 0)),
        settings=settings,
        scores=module.scores,
    )
    path = out / f"{name}.toml"
    write_toml(card, path)
    return path


def _without_languages(out: Path) -> list[str]:
    """A line on a reranker that was composed before there was a language module, and so goes without."""
    path = out / f"{out.resolve().name}.toml"
    if not path.is_file() or (card := read_reranker_card(path)).kind != "reranker-modular":
        return []
    if card.settings.get("setting") != "none":
        return []
    return [f"{path} is without language modules: train its ranking module again, on top of this one"]


def described(path: Path, card: ModuleCard) -> str:
    """A line on a module."""
    size = path.with_suffix(".safetensors").stat().st_size
    shown = f"{size / 2**20:.1f} MiB" if size >= 2**20 else f"{size / 2**10:.0f} KiB"
    scores = "".join(
        f", {name} {card.scores[name + BEFORE]:.3f} → {value:.3f}"
        for name, value in card.scores.items()
        if name + BEFORE in card.scores
    )
    under = ", on no language module" if card.role == "ranking" and not card.under else ""
    return f"{path}: {card.kind}, {card.parameters:,} numbers, {shown}{under}{scores}"
