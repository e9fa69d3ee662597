"""A checkpoint as a model of sentence-transformers, on its device, in its precision."""

from __future__ import annotations

import contextlib
import logging
import re
import string
import threading
import warnings
from collections.abc import Iterator
from typing import Any

from xsearch.core import BadInput, MissingExtra
from xsearch.core.extras import need
from xsearch.encode.neural.checkpoint import Checkpoint, brief
from xsearch.encode.neural.describe import Settings, bge_head
from xsearch.encode.neural.packed import unpacked
from xsearch.encode.neural.runtime import Runtime

REPORTED = re.compile(r"^(\S+) *\| (?:\x1b\[\d+m)*(MISSING|MISMATCH)", re.MULTILINE)
"""A row of the report that transformers makes of the weights it could not load as they are."""
LOADING = threading.RLock()
"""transformers makes networks without memory first, for all threads of the process: one is loaded at a time."""
CLASSES = {"dense": "SentenceTransformer", "multivector": "MultiVectorEncoder", "sparse": "SparseEncoder"}


def build(checkpoint: Checkpoint, found: Settings, torch: Any, device: str, runtime: Runtime, trusted: bool) -> Any:
    """The model, ready to run. Raises `BadInput` when it cannot be built, `MissingExtra` for a package it needs."""
    library = need("sentence_transformers", "neural", "a neural encoder")
    transformers = need("transformers", "neural", "a neural encoder")
    inside = {"trust_remote_code": trusted and checkpoint.needs_code, "local_files_only": True}
    weights = {"dtype": runtime.dtype(torch, device), **({} if trusted else {"use_safetensors": True})}
    try:
        with quiet(transformers) as told, unpacked(checkpoint.folder) as whole:
            folder = str(whole)
            if found.kind != "dense" and bge_head(checkpoint, found.kind):
                # The head reads the transformer's states: what pools them stays away.
                model = library.SentenceTransformer(modules=[_transformer(folder, weights, inside)], device=device)
            elif found.pooling:
                transformer = _transformer(folder, weights, inside)
                pooling = _pooling(transformer.get_embedding_dimension(), found.pooling)
                model = library.SentenceTransformer(modules=[transformer, pooling], device=device)
            else:
                make = getattr(library, CLASSES[found.kind])
                model = make(folder, device=device, model_kwargs=weights, **inside)
    except (MemoryError, BadInput):
        raise
    except ImportError as error:
        raise MissingExtra(f"{checkpoint.folder} needs another package: {brief(error)}") from error
    except Exception as error:
        # Whatever a damaged or foreign checkpoint makes the library raise, the folder is what the user can change.
        shape = f"{told.mismatched[0]} has another shape than config.json says" if told.mismatched else brief(error)
        raise BadInput(f"{checkpoint.folder} cannot be loaded as an encoder: {shape}") from error
    if missing := [name for name in told.missing if "pooler" not in name]:
        # transformers has filled them with random numbers. What pools BERT's first state is not read.
        raise BadInput(f"{checkpoint.folder} lacks weights of its network ({missing[0]}): copy or fetch it again")
    if found.kind == "multivector" and not bge_head(checkpoint, "multivector"):
        _complete_masks(model, checkpoint)
    model = model.to(runtime.dtype(torch, device))
    if runtime.precision == "int8":
        model = quantised(model, torch)
    model.eval()
    return model


def _transformer(folder: str, weights: dict[str, Any], inside: dict[str, Any]) -> Any:
    from sentence_transformers.base.modules import Transformer

    return Transformer(folder, model_kwargs=weights | inside, config_kwargs=inside, processor_kwargs=inside)


def _pooling(dim: int, mode: str) -> Any:
    from sentence_transformers.sentence_transformer.modules import Pooling

    return Pooling(dim, mode)


def _complete_masks(model: Any, checkpoint: Checkpoint) -> None:
    """Add what early versions of PyLate left to their own code: which tokens count."""
    from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask

    if any(isinstance(module, MultiVectorMask) for module in model):
        return
    words = checkpoint.settings.get("skiplist_words")
    mask = MultiVectorMask(skiplist_words=list(string.punctuation) if words is None else words)
    mask.resolve_with_tokenizer(model.tokenizer)
    model.append(mask)


def quantised(model: Any, torch: Any) -> Any:
    """Weights of the linear layers as 8-bit integers, activations quantised batch by batch."""
    with warnings.catch_warnings():
        # torch announces that another package will take this over one day.
        warnings.simplefilter("ignore")
        return torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear}, dtype=torch.qint8)


class Told(logging.Handler):
    """What transformers reports of weights as it loads them. missing: names of those it filled with random numbers.
    mismatched: of those whose shape is not the network's."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.missing: list[str] = []
        self.mismatched: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Note what a report says, a table with a row a name."""
        for name, status in REPORTED.findall(record.getMessage()):
            (self.missing if status == "MISSING" else self.mismatched).append(name)


@contextlib.contextmanager
def quiet(transformers: Any) -> Iterator[Told]:
    """For loading and saving networks, one thread after the other: without the progress bars and reports that the
    libraries write to the terminal. Gives what they report of weights."""
    bars, told = transformers.utils.logging, Told()
    reporting, library = logging.getLogger("transformers"), logging.getLogger("sentence_transformers")
    with LOADING:
        shown, before = bars.is_progress_bar_enabled(), (reporting.level, reporting.handlers, library.level)
        bars.disable_progress_bar()
        reporting.handlers = [told]
        reporting.setLevel(logging.WARNING)
        library.setLevel(logging.ERROR)
        try:
            yield told
        finally:
            reporting.handlers = before[1]
            reporting.setLevel(before[0])
            library.setLevel(before[2])
            if shown:
                bars.enable_progress_bar()
