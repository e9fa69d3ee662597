"""A reranker's model from disk: found, checked, in its precision on its device."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from xsearch.core import BadInput, MissingExtra
from xsearch.core.extras import need
from xsearch.encode import Runtime
from xsearch.encode.neural.build import quantised, quiet
from xsearch.encode.neural.checkpoint import Checkpoint, brief, locate
from xsearch.encode.neural.fingerprint import fingerprint
from xsearch.encode.neural.load import UNLIMITED, positions_of
from xsearch.encode.neural.tokens import check_vocabulary
from xsearch.rank.rerank.card import RerankerCard

PURPOSE = "a neural reranker"
USUAL_LENGTH = 512
"""Tokens read at once by a model that sets no limit: what rerankers are usually trained with."""


@dataclass(frozen=True)
class Task:
    """What a model must have been trained for: transformers' class that loads it, the ending of the classes that do,
    and how that is called."""

    loader: str
    ending: str
    description: str


CLASSIFIER = Task("AutoModelForSequenceClassification", "ForSequenceClassification", "cross-encoder")
SEQ2SEQ = Task("AutoModelForSeq2SeqLM", "ForConditionalGeneration", "T5-style reranker")
DECODER = Task("AutoModelForCausalLM", "ForCausalLM", "decoder")


@dataclass(frozen=True)
class Opened:
    """A model that is ready to run. card: complete, with fingerprint and max_length. limit: tokens it reads at once.
    device: the first of those asked for: one question's passages are not worth two."""

    card: RerankerCard
    checkpoint: Checkpoint
    model: Any
    tokenizer: Any
    torch: Any
    device: str
    limit: int


def find_checkpoint(card: RerankerCard, folder: Path, trusted: bool) -> Checkpoint:
    """The checkpoint that a card in `folder` names. Raises what `locate` raises, `BadInput` for a card without one."""
    if not card.model:
        raise BadInput(f"the card of reranker '{card.name}' needs model, its folder or its name on the hub")
    beside = folder / card.model
    return locate(beside if beside.is_dir() else card.model, card.revision, trusted=trusted)


def open_model(card: RerankerCard, folder: Path, runtime: Runtime, task: Task) -> Opened:
    """The model that a card in `folder` describes.

    Raises `BadInput` for a model made for another task, without a head, or damaged; `UsageError` for one that could
    run code; `MissingExtra` where the model or torch is not there.
    """
    torch = need("torch", "neural", PURPOSE)
    transformers = need("transformers", "neural", PURPOSE)
    device = runtime.devices(torch)[0]
    checkpoint = find_checkpoint(card, folder, runtime.trust is not None)
    check_task(checkpoint, task)
    trusted = checkpoint.check_trust(runtime.trust)
    inside = {"trust_remote_code": trusted and checkpoint.needs_code, "local_files_only": True}
    weights = {"dtype": runtime.dtype(torch, device), **({} if trusted else {"use_safetensors": True})}
    place = str(checkpoint.folder)
    try:
        with quiet(transformers):
            tokenizer = transformers.AutoTokenizer.from_pretrained(place, **inside)
            loader = getattr(transformers, task.loader)
            model, report = loader.from_pretrained(place, output_loading_info=True, **weights, **inside)
    except MemoryError:
        raise
    except ImportError as error:
        raise MissingExtra(f"{place} needs another package: {brief(error)}") from error
    except Exception as error:
        # Whatever a damaged or foreign checkpoint makes the library raise, the folder is what the user can change.
        raise BadInput(f"{place} cannot be loaded as a {task.description}: {brief(error)}") from error
    if missing := sorted(report["missing_keys"]):
        # transformers fills what is missing with random numbers, which would score at random.
        raise BadInput(f"{place} lacks weights of a {task.description} ({missing[0]}): was it trained as one?")
    check_vocabulary(tokenizer, checkpoint.folder)
    model = model.to(device)
    if runtime.precision == "int8":
        model = quantised(model, torch)
    model.eval()
    limit = read_limit(card.max_length, tokenizer, model.config)
    settings = {"kind": card.kind, "settings": card.settings, "limit": limit, "mix": card.mix}
    mark = fingerprint(checkpoint.folder, settings)
    revision = checkpoint.revision or card.revision
    complete = msgspec.structs.replace(card, fingerprint=mark, revision=revision, max_length=limit)
    return Opened(complete, checkpoint, model, tokenizer, torch, device, limit)


def check_task(checkpoint: Checkpoint, task: Task) -> None:
    """Raise `BadInput` for a checkpoint made for something else."""
    names = checkpoint.architectures
    if not any(name.endswith(task.ending) for name in names):
        raise BadInput(f"{checkpoint.folder} is no {task.description} but a {' or '.join(names) or 'bare model'}")


def read_limit(asked: int, tokenizer: Any, config: Any) -> int:
    """Tokens a model reads at once: the least of what its card, its tokenizer and its positions allow."""
    limits = [asked] if asked else []
    if 0 < (tokenizer.model_max_length or 0) < UNLIMITED:
        limits.append(int(tokenizer.model_max_length))
    if positions := positions_of(config):
        limits.append(positions)
    return min(limits, default=USUAL_LENGTH)
