"""Language modules: masked words of a language's text, predicted by the base with the module in it (Pfeiffer et al.
2020, MAD-X; Ansell et al. 2022). Everything else stays as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch

from xsearch.encode import Runtime
from xsearch.encode.card import SourceNote
from xsearch.encode.neural.load import window
from xsearch.encode.neural.modules.base import Base, load_base
from xsearch.encode.neural.modules.card import ModuleCard
from xsearch.rank.rerank.card import LANGUAGES
from xsearch.train.neural.modules.fitting import Task, fit_module
from xsearch.train.neural.modules.plan import Plan
from xsearch.train.neural.modules.sources import key_of
from xsearch.train.neural.modules.texts import Words, in_another, masked, read_language, tokens
from xsearch.train.progress import OnProgress, Progress


def train_language(
    base: str | Path,
    files: Sequence[Path],
    out: Path,
    plan: Plan,
    exclude: Sequence[Path] = (),
    runtime: Runtime | None = None,
    on_progress: OnProgress = lambda _: None,
) -> Path:
    """Learn the module of `plan.lang` from texts in it, into ``out/languages``; returns its card's path.

    base: a checkpoint with the head that predicts words. files: as `read_language` reads them. Raises what that and
    `load_base` raise, and `BadInput` where a loss is not finite.
    """
    plan = plan.published("language")
    data = read_language(files, plan.lang, plan.seed, exclude)
    if other := in_another(data.train, plan.lang):
        on_progress(Progress("read", note=f"most texts seem to be in '{other}', not in '{plan.lang}'"))
    loaded = load_base(base, runtime or Runtime(precision="fp32"), predicts=True)
    plan = msgspec.structs.replace(plan, length=window(plan.length, loaded.as_first()))
    card = ModuleCard(
        name=plan.name or plan.lang,
        kind=plan.kind,
        role="language",
        base=loaded.fingerprint,
        lang=plan.lang,
        base_name=loaded.name,
        licence=plan.licence,
        description=f"{len(data.train):,} texts; {data.left_out} left out as evaluation text",
        sources=tuple(SourceNote(path.name, plan.licence or "unknown") for path in files),
    )

    def loss(batch: Words, _: Mapping[str, Any]) -> Any:
        return words_loss(loaded, batch.texts, plan.length, (plan.seed, batch.number))

    def measure(_: Mapping[str, Any]) -> dict[str, float]:
        parts = [data.held[n : n + plan.batch] for n in range(0, len(data.held), plan.batch)]
        found = [float(words_loss(loaded, part, plan.length, (plan.seed, 1, n))) for n, part in enumerate(parts)]
        return {"loss": float(np.average(found, weights=[len(part) for part in parts]))}

    task = Task(
        base=loaded,
        plan=plan,
        card=card,
        under=(),
        draw=lambda number: data.batch(number, plan.batch, plan.seed),
        loss=loss,
        measure=measure,
        key=key_of(plan, loaded.fingerprint, [*data.train, *data.held]),
    )
    return fit_module(task, out / LANGUAGES, on_progress)


def words_loss(base: Base, texts: Sequence[str], length: int, seed: Sequence[int]) -> Any:
    """The mean cross entropy of the masked tokens of `texts`, a scalar."""
    ids, special = tokens(base.tokenizer, texts, length)
    attention = (ids != base.tokenizer.pad_token_id) | (special == 0)
    given, wanted = masked(ids, special, base.tokenizer.mask_token_id, len(base.tokenizer), seed)
    numbers, mask, labels = (torch.from_numpy(a.astype(np.int64)).to(base.device) for a in (given, attention, wanted))
    chosen = labels >= 0
    # A vocabulary is large: what predicts words sees the masked ones alone.
    decoder = base.model.get_output_embeddings()
    hook = decoder.register_forward_pre_hook(lambda _, states: (states[0][chosen], *states[1:]), prepend=True)
    try:
        logits = base.model(input_ids=numbers, attention_mask=mask).logits
    finally:
        hook.remove()
    return torch.nn.functional.cross_entropy(logits.float(), labels[chosen])
