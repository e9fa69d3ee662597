"""Whole cross-encoders: every weight of a checkpoint fitted to pairs, as one model with a head for one number."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import torch

from xsearch.core import BadInput
from xsearch.core.extras import need
from xsearch.encode import Runtime
from xsearch.encode.card import SourceNote, write_toml
from xsearch.encode.neural.build import quiet
from xsearch.encode.neural.checkpoint import brief, locate
from xsearch.encode.neural.fingerprint import fingerprint
from xsearch.encode.neural.load import window
from xsearch.encode.neural.modules.pairs import PairTokens
from xsearch.encode.neural.tokens import check_vocabulary, pad_number
from xsearch.rank.rerank import RerankerCard
from xsearch.train.neural.folders import replacing
from xsearch.train.neural.loop import fit
from xsearch.train.neural.modules.pairs import Candidates, Found, pair_data
from xsearch.train.neural.modules.plan import Plan
from xsearch.train.neural.modules.ranking import candidates_loss, reciprocal_rank
from xsearch.train.neural.modules.sources import key_of
from xsearch.train.neural.recipe import Schedule
from xsearch.train.progress import OnProgress

MODEL = "model"


def train_crossencoder(
    base: str | Path,
    found: Found,
    origins: Sequence[Path],
    out: Path,
    plan: Plan,
    exclude: Sequence[Path] = (),
    runtime: Runtime | None = None,
    on_progress: OnProgress = lambda _: None,
) -> Path:
    """Fit a checkpoint to pairs, into ``out/model`` in the form of transformers and sentence-transformers; returns the
    path of its card, which `--rerank` takes. Raises as `train_ranking` does."""
    plan = plan.published("ranking")
    runtime = runtime or Runtime(precision="fp32")
    data = pair_data(found, plan.seed, exclude)
    model, tokenizer, mark = _load(base, runtime, plan.seed)
    plan = msgspec.structs.replace(plan, length=window(plan.length, SimpleNamespace(tokenizer=tokenizer, model=model)))
    device = next(model.parameters()).device
    pairs = PairTokens(tokenizer, plan.length)

    def score(queries: Sequence[str], passages: Sequence[str]) -> Any:
        tokenised = pairs.tokenise(queries, passages)
        grids = tokenised.padded(np.arange(len(queries)), pad_number(tokenizer))
        numbers, mask, types = (torch.from_numpy(grid).to(device) for grid in grids[:3])
        given = {"token_type_ids": types} if getattr(model.config, "type_vocab_size", 0) > 1 else {}
        return model(input_ids=numbers, attention_mask=mask, **given).logits[:, 0]

    def losses(batch: Candidates) -> dict[str, Any]:
        return {"ranking": candidates_loss(score, batch)}

    held = data.measured(plan.negatives, plan.seed)

    def measure() -> dict[str, float]:
        model.eval()
        with torch.no_grad():
            return {"MRR": reciprocal_rank(score, held)}

    schedule = Schedule(
        plan.steps, plan.learning_rate, plan.warmup, average=plan.average, evaluate_every=plan.evaluate_every
    )
    texts = (text for pair in data.train for text in (pair.query, pair.positive, *pair.negatives))
    key = key_of(plan, mark, texts)
    work = out / ".model.work"
    fit(
        model,
        lambda number: data.batch(number, plan.batch, plan.negatives, plan.seed),
        losses,
        schedule,
        plan.seed,
        work,
        key,
        on_progress,
        measure,
    )
    scores = measure()
    transformers = need("transformers", "neural", "training a cross-encoder")
    with replacing(out / MODEL) as folder, quiet(transformers):
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    name = plan.name or out.resolve().name
    card = RerankerCard(
        name=name,
        kind="reranker-cross",
        licence=plan.licence,
        description=f"{base} fitted to {len(data.train):,} pairs",
        model=MODEL,
        max_length=plan.length,
        scores={"heldout MRR": round(scores["MRR"], 4)},
        sources=tuple(SourceNote(path.name, plan.licence or "unknown") for path in origins),
    )
    path = out / f"{name}.toml"
    write_toml(card, path)
    shutil.rmtree(work)
    return path


def _load(base: str | Path, runtime: Runtime, seed: int) -> tuple[Any, Any, str]:
    transformers = need("transformers", "neural", "training a cross-encoder")
    checkpoint = locate(base, trusted=runtime.trust is not None)
    trusted = checkpoint.check_trust(runtime.trust)
    inside = {"local_files_only": True} | ({} if trusted else {"use_safetensors": True})
    try:
        with quiet(transformers), torch.random.fork_rng([]):
            torch.manual_seed(seed)
            model = transformers.AutoModelForSequenceClassification.from_pretrained(
                checkpoint.folder, num_labels=1, **inside
            )
            tokenizer = transformers.AutoTokenizer.from_pretrained(checkpoint.folder, local_files_only=True)
    except MemoryError:
        raise
    except Exception as error:
        # Whatever a damaged or foreign checkpoint makes the library raise, the folder is what the user can change.
        raise BadInput(f"{checkpoint.folder} cannot be loaded as a cross-encoder: {brief(error)}") from error
    check_vocabulary(tokenizer, checkpoint.folder)
    if not tokenizer.is_fast:
        raise BadInput(f"{checkpoint.folder} has no tokenizer.json: training needs one")
    return model.to(runtime.devices(torch)[0]), tokenizer, fingerprint(checkpoint.folder, {})
