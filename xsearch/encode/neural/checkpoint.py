"""Where a model lies on disk, what it is made of, and whether loading it would run somebody's code.

A model is a folder as transformers or sentence-transformers write it, or a name on the hub, which is looked for in
the hub's cache first and fetched only when the network is allowed (`HF_HUB_OFFLINE` is respected).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from xsearch.core import BadInput, MissingExtra, UsageError
from xsearch.core.extras import need
from xsearch.encode.neural.fingerprint import content_hash, folders, own_files

HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")
REVISION = re.compile(r"[0-9a-f]{40}")
OWN_MODULES = ("sentence_transformers.", "pylate.models.Dense.")
"""Modules of `modules.json` that need no code of the checkpoint's own."""
FETCHED = ("*.json", "*.safetensors", "*.txt", "*.model", "artifact.metadata", "*.jinja")
TRUSTED_TOO = ("*.py", "*.bin", "*.pt")
WEIGHTS = (".safetensors", ".bin", ".pt", ".ckpt")


@dataclass(frozen=True)
class Checkpoint:
    """A model on disk. name: as it was asked for, a hub name or the folder's. revision: the commit of the hub it is a
    copy of, "" when that cannot be told."""

    folder: Path
    name: str
    revision: str

    @cached_property
    def config(self) -> dict[str, Any]:
        """`config.json` of the transformer. Raises `BadInput` where there is none."""
        for place in folders(self.folder):
            found: dict[str, Any] = read_json(place / "config.json") if (place / "config.json").is_file() else {}
            if "model_type" in found:
                return found
        raise BadInput(f"{self.folder} is no model: it holds no config.json that names a model_type")

    @cached_property
    def modules(self) -> list[dict[str, Any]]:
        """`modules.json` of sentence-transformers, [] for a plain transformer."""
        path = self.folder / "modules.json"
        found = read_json(path) if path.is_file() else []
        if not isinstance(found, list) or not all({"type", "path"} <= module.keys() for module in found):
            raise BadInput("not a list of modules with type and path", str(path))
        return found

    @cached_property
    def settings(self) -> dict[str, Any]:
        """`config_sentence_transformers.json`, {} where there is none."""
        return self.optional("config_sentence_transformers.json")

    @property
    def architectures(self) -> list[str]:
        """The classes that transformers saved."""
        return list(self.config.get("architectures") or [])

    def optional(self, name: str) -> dict[str, Any]:
        """A JSON file of the folder, {} where it is not."""
        path = self.folder / name
        found: dict[str, Any] = read_json(path) if path.is_file() else {}
        return found

    def untrusted(self) -> list[str]:
        """What in the checkpoint could run code when it is loaded, a reason each: pickled weights without a copy as
        safetensors, Python code."""
        reasons = []
        for place in folders(self.folder):
            weights = {path.suffix: path for path in own_files(place) if path.suffix in WEIGHTS}
            if weights and ".safetensors" not in weights:
                pickled = next(iter(weights.values())).relative_to(self.folder)
                reasons.append(f"{pickled}: pickled weights without a copy as safetensors")
        reasons += [f"{path.name}: a pickled head" for path in own_files(self.folder) if path.suffix == ".pt"]
        reasons += [f"modules.json: {name} is code" for name in self._foreign_modules]
        if self._foreign_network:
            reasons.append(f"config.json: model_type '{self.config['model_type']}' is code of the checkpoint's own")
        return list(dict.fromkeys(reasons))

    @property
    def needs_code(self) -> bool:
        """Whether classes of the checkpoint's own are part of it."""
        return self._foreign_network or bool(self._foreign_modules)

    @property
    def _foreign_modules(self) -> list[str]:
        return [module["type"] for module in self.modules if not module["type"].startswith(OWN_MODULES)]

    @cached_property
    def _foreign_network(self) -> bool:
        """Whether transformers itself does not know the model's class."""
        if "auto_map" not in self.config:
            return False
        auto = need("transformers.models.auto.configuration_auto", "neural", "a neural encoder")
        return self.config["model_type"] not in auto.CONFIG_MAPPING_NAMES

    def check_trust(self, trust: str | None) -> bool:
        """Whether the user has said that this very checkpoint may run code: `trust` is its commit on the hub or the
        hash of its files. Raises `UsageError` where it must be said and is not."""
        reasons = self.untrusted()
        if not reasons:
            return False
        accepted = {self.revision, content_hash(self.folder)} - {""}
        if trust in accepted:
            return True
        said = f"'{trust}' is another revision" if trust else "nobody vouched for it"
        raise UsageError(
            f"{self.folder} could run code when loaded ({'; '.join(reasons)}) and {said}: convert it to safetensors, "
            f"or, if you trust its source, give --trust {self.revision or content_hash(self.folder)}"
        )


def locate(name: str | Path, revision: str = "", *, trusted: bool = False) -> Checkpoint:
    """The checkpoint that a path or a hub name leads to.

    trusted: fetch code and pickled weights too. Raises `UsageError` for what is neither a folder nor could be a
    name, `MissingExtra` where the model is not on disk and cannot be fetched.
    """
    folder = Path(name)
    if folder.is_dir():
        if not (folder / "config.json").is_file() and not (folder / "modules.json").is_file():
            raise BadInput(f"{folder} is no model: it holds neither config.json nor modules.json")
        return Checkpoint(folder.resolve(), str(name), revision_of(folder.resolve()))
    if not HUB_NAME.fullmatch(str(name)) or folder.is_absolute():
        raise UsageError(f"no model at {name}")
    return fetch(str(name), revision, trusted)


def fetch(name: str, revision: str, trusted: bool) -> Checkpoint:
    """A model of the hub, from its cache if it is there."""
    hub = need("huggingface_hub", "neural", "a neural encoder")
    wanted = [*FETCHED, *(TRUSTED_TOO if trusted else ())]
    ignored = ["onnx/*", "openvino/*"]
    arguments = {"revision": revision or None, "allow_patterns": wanted, "ignore_patterns": ignored}
    try:
        folder = hub.snapshot_download(name, local_files_only=True, **arguments)
    except (OSError, ValueError):
        try:
            folder = hub.snapshot_download(name, **arguments)
        except Exception as error:
            # The hub's client raises a dozen kinds of errors; none leaves anything else to do.
            at = f" --revision {revision}" if revision else ""
            why = brief(error).partition(". ")[0]
            raise MissingExtra(
                f"the model '{name}' is not on this machine and cannot be fetched ({why}): where there is a "
                f"network run `hf download {name}{at} --local-dir DIR`, copy DIR here, and give its path"
            ) from error
    return Checkpoint(Path(folder), name, revision_of(Path(folder)))


def revision_of(folder: Path) -> str:
    """The hub's commit that a folder is a copy of, as its cache or `hf download` noted it; "" if neither did."""
    if folder.parent.name == "snapshots" and REVISION.fullmatch(folder.name):
        return folder.name
    note = folder / ".cache" / "huggingface" / "download" / "config.json.metadata"
    if note.is_file():
        first = note.read_text(encoding="utf-8").split("\n", 1)[0].strip()
        return first if REVISION.fullmatch(first) else ""
    return ""


def read_json(path: Path) -> Any:
    """A JSON file. Raises `BadInput` when it is not one."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"cannot be read: {error}", str(path)) from error


def brief(error: BaseException) -> str:
    """The first line of a message, for inside another."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:200]
