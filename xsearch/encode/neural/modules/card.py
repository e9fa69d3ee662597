"""A module on disk: weights as safetensors, and beside them a card of the same name as TOML.

Tensors carry the names of the base's own parameters and places, without the name of a head above the body:

    adapter  ``encoder.layer.3.output.down.weight`` and ``.down.bias``, ``.up.weight``, ``.up.bias``; after the
             attention ``encoder.layer.3.attention.output.…``; invertible: ``embeddings.F.0.weight`` … ``G.2.bias``
    sft      ``PARAMETER.indices``, int32, and ``PARAMETER.values``: what is added at those places of the flat tensor
    lora     ``LAYER.lora_A.weight``, ``LAYER.lora_B.weight``, as peft names them
    ia3      ``LAYER.ia3_l``
    ranking  also ``head.weight`` (1, hidden) and ``head.bias`` (1,): what reads the first token's state
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec

from xsearch.core import BadInput
from xsearch.core.extras import need
from xsearch.encode.card import SourceNote, write_toml

KINDS = ("adapter", "sft", "lora", "ia3")
ROLES = ("language", "ranking")
HEAD = ("head.weight", "head.bias")


class AdapterSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where bottlenecks stand and what they compute (`bottleneck`).

    output: after every feed-forward block. attention: after every attention block too. norm_before: whether the
    block's layer normalisation comes before the bottleneck as well as after. Pfeiffer et al. 2020 have (output,
    norm_before), Houlsby et al. 2019 (output, attention). activation: between the projections. reduction: the base's
    hidden size by the bottleneck's. invertible: a coupling at the embeddings. scaling: of what a bottleneck adds.
    """

    output: bool = True
    attention: bool = False
    norm_before: bool = True
    activation: str = "relu"
    reduction: float = 16.0
    invertible: bool = False
    scaling: float = 1.0


class SparseSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """entries: how many of the base's weights change."""

    entries: int


class LoraSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Hu et al. 2022: rank of the change, alpha / rank its scale. targets: the layers' last names."""

    rank: Annotated[int, msgspec.Meta(ge=1)] = 8
    alpha: float = 16.0
    targets: tuple[str, ...] = ()


class Ia3Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Liu et al. 2022. targets: the layers' last names."""

    targets: tuple[str, ...] = ()


Settings = AdapterSettings | SparseSettings | LoraSettings | Ia3Settings
SETTINGS_OF: Mapping[str, type[Settings]] = {
    "adapter": AdapterSettings,
    "sft": SparseSettings,
    "lora": LoraSettings,
    "ia3": Ia3Settings,
}


class ModuleCard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A module, as its TOML file describes it.

    kind: "adapter", "sft" (sparse fine-tuning), "lora", "ia3". role: "language" or "ranking". lang: what it was learnt
    in. base: fingerprint of the model it belongs to; base_name: that model's name. under: of a ranking module, the
    fingerprint of the language module that was below it in training, "" for none. parameters: numbers it holds.
    fingerprint: BLAKE2b of its tensors. settings: by kind, the fields of `SETTINGS_OF`. training: how it was learnt.
    """

    name: str
    kind: str
    role: str
    base: str
    lang: str = ""
    base_name: str = ""
    under: str = ""
    licence: str = ""
    description: str = ""
    parameters: int = 0
    fingerprint: str = ""
    settings: dict[str, Any] = {}
    training: dict[str, Any] = {}
    scores: dict[str, float] = {}
    sources: tuple[SourceNote, ...] = ()

    def read_settings(self) -> Settings:
        """`settings` as the kind's own type. Raises `BadInput` for an unknown key or a wrong type."""
        try:
            return msgspec.convert(self.settings, SETTINGS_OF[self.kind])
        except msgspec.ValidationError as error:
            raise BadInput(f"card of module '{self.name}', settings: {error}") from error


@dataclass(frozen=True, eq=False)
class Module:
    """card: what it is. tensors: torch's, by name."""

    card: ModuleCard
    tensors: Mapping[str, Any]


def read_module_card(path: Path) -> ModuleCard:
    """The card in a TOML file. Raises `BadInput` for what is no card of a module."""
    try:
        card = msgspec.toml.decode(path.read_bytes(), type=ModuleCard)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadInput(f"not the card of a module: {error}", str(path)) from error
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}", str(path)) from error
    for value, known in ((card.kind, KINDS), (card.role, ROLES)):
        if value not in known:
            raise BadInput(f"'{value}' is none of {', '.join(known)}", str(path))
    return card


def read_module(path: Path) -> Module:
    """The module of a card (``.toml``), or of a path without suffix. Raises `BadInput` where card or weights are
    damaged or do not belong together."""
    path = card_path(path)
    card = read_module_card(path)
    weights = path.with_suffix(".safetensors")
    library = need("safetensors", "neural", "a module")
    torch_files = need("safetensors.torch", "neural", "a module")
    try:
        tensors = torch_files.load_file(weights)
    except FileNotFoundError:
        raise BadInput(f"its weights are missing: {weights.name} belongs beside it", str(path)) from None
    except (library.SafetensorError, OSError, ValueError) as error:
        raise BadInput(f"not a whole safetensors file: {error}", str(weights)) from error
    if card.fingerprint != digest(tensors):
        raise BadInput(f"not the weights that {path.name} describes: copy both again", str(weights))
    return Module(card, tensors)


def write_module(module: Module, folder: Path) -> Path:
    """Write weights, then card, as ``NAME.safetensors`` and ``NAME.toml``; returns the card's path. Fingerprint and
    number of parameters are filled in."""
    torch_files = need("safetensors.torch", "neural", "a module")
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in sorted(module.tensors.items())}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{module.card.name}.toml"
    torch_files.save_file(tensors, path.with_suffix(".safetensors"))
    count = sum(tensor.numel() for name, tensor in tensors.items() if not name.endswith(".indices"))
    write_toml(msgspec.structs.replace(module.card, parameters=count, fingerprint=digest(tensors)), path)
    return path


def card_path(path: Path) -> Path:
    """The card that a path names, with or without its suffix."""
    return path if path.suffix == ".toml" else path.with_name(f"{path.name}.toml")


def digest(tensors: Mapping[str, Any]) -> str:
    """BLAKE2b (16 bytes, hexadecimal) of names, shapes and numbers."""
    found = hashlib.blake2b(digest_size=16)
    for name, tensor in sorted(tensors.items()):
        array = tensor.detach().cpu().contiguous().numpy()
        found.update(f"{name} {array.dtype} {array.shape}\n".encode())
        found.update(array.tobytes())
    return found.hexdigest()
