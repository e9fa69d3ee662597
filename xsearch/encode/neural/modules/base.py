"""The transformer that modules are put on: a folder or a hub name → a body in memory and its fingerprint."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from xsearch.core import BadInput, UsageError
from xsearch.core.extras import need
from xsearch.encode.neural.batches import Budget
from xsearch.encode.neural.build import quiet
from xsearch.encode.neural.checkpoint import brief, locate
from xsearch.encode.neural.fingerprint import fingerprint
from xsearch.encode.neural.runtime import Runtime
from xsearch.encode.neural.tokens import check_vocabulary


@dataclass(frozen=True, eq=False)
class Base:
    """A base in memory. model: with the head that predicts words where it was loaded with one, else the body alone.
    body: without head. budget: of a batch."""

    model: Any
    body: Any
    tokenizer: Any
    torch: Any
    device: str
    dtype: Any
    budget: Budget
    fingerprint: str
    name: str

    def states(self, numbers: Any, mask: Any, types: Any) -> Any:
        """The last layer's states, (texts, tokens, hidden). All three: int64 (texts, tokens), as the tokenizer has
        them; types are given to bases that know more than one."""
        given = {"token_type_ids": types} if getattr(self.body.config, "type_vocab_size", 0) > 1 else {}
        return self.body(input_ids=numbers, attention_mask=mask, **given).last_hidden_state

    def as_first(self) -> Any:
        """Tokenizer and body under the names that `load.window` reads."""
        return SimpleNamespace(tokenizer=self.tokenizer, model=self.body)


def load_base(name: str | Path, runtime: Runtime, predicts: bool = False) -> Base:
    """The base in a folder or of a name on the hub.

    predicts: with the head that predicts masked words. Raises `BadInput` for a folder that is no such model or has no
    such head, `UsageError` for one that could run code and for several devices, `MissingExtra` where it is not there.
    """
    torch = need("torch", "neural", "a base of modules")
    transformers = need("transformers", "neural", "a base of modules")
    devices = runtime.devices(torch)
    if len(devices) > 1 or runtime.precision == "int8":
        raise UsageError("modules run on one device and not in int8: give one of --device, and another --precision")
    checkpoint = locate(name, trusted=runtime.trust is not None)
    trusted = checkpoint.check_trust(runtime.trust)
    if predicts and not any(each.endswith("ForMaskedLM") for each in checkpoint.architectures):
        raise BadInput(
            f"{checkpoint.folder} cannot predict masked words: take a base saved with that head (ForMaskedLM)"
        )
    make = transformers.AutoModelForMaskedLM if predicts else transformers.AutoModel
    dtype = runtime.dtype(torch, devices[0])
    inside = {"trust_remote_code": trusted and checkpoint.needs_code, "local_files_only": True}
    weights = {} if trusted else {"use_safetensors": True}
    try:
        with quiet(transformers):
            model = make.from_pretrained(checkpoint.folder, dtype=dtype, **weights, **inside).to(devices[0]).eval()
            tokenizer = transformers.AutoTokenizer.from_pretrained(checkpoint.folder, **inside)
    except MemoryError:
        raise
    except Exception as error:
        # Whatever a damaged or foreign checkpoint makes the library raise, the folder is what the user can change.
        raise BadInput(f"{checkpoint.folder} cannot be loaded as a base: {brief(error)}") from error
    check_vocabulary(tokenizer, checkpoint.folder)
    if not tokenizer.is_fast:
        raise BadInput(f"{checkpoint.folder} has no tokenizer.json: modules need one")
    return Base(
        model=model,
        body=model.base_model if predicts else model,
        tokenizer=tokenizer,
        torch=torch,
        device=devices[0],
        dtype=dtype,
        budget=Budget(runtime.budget(devices[0]), devices[0], torch),
        fingerprint=fingerprint(checkpoint.folder, {}),
        name=checkpoint.name if not Path(checkpoint.name).is_dir() else checkpoint.folder.name,
    )
