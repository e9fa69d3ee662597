"""What identifies a checkpoint: a quick fingerprint of weights and tokenizer, and a full hash of its files."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from xsearch.core import BadInput

EDGE = 4096
"""Bytes read at the start and the end of every tensor."""
SHAPING = ("*.json", "*.txt", "*.model", "*.metadata", "*.jinja")
"""Files that shape a vector besides the weights: configuration and tokenizer."""
WEIGHTS = ("*.safetensors", "*.bin", "*.pt", "*.ckpt")
CODE = ("*.py",)
ROUTER = "router_config.json"
"""What marks the folder of a module of sentence-transformers that holds others."""
ELSEWHERE = (".", "onnx", "openvino", "checkpoint-", "eval", "runs")
IGNORED = ("training_args", "trainer_state", "README", "optimizer", "scheduler", "rng_state", "eval")


def fingerprint(folder: Path, settings: dict[str, Any]) -> str:
    """BLAKE2b (16 bytes, hexadecimal) of the configuration, the tokenizer, the weights and `settings`.

    Of safetensors the header (names, types, shapes) and the first and last `EDGE` bytes of every tensor are read:
    training changes all of them, and a model of gigabytes is known in a fraction of a second. Other weights and code
    are read whole.
    """
    digest = hashlib.blake2b(json.dumps(settings, sort_keys=True, ensure_ascii=False).encode(), digest_size=16)
    for path in files(folder):
        digest.update(str(path.relative_to(folder)).encode())
        if path.suffix == ".safetensors":
            _sample_tensors(path, digest)
        else:
            _update(path, digest)
    return digest.hexdigest()


def content_hash(folder: Path) -> str:
    """BLAKE2b (20 bytes, hexadecimal) of every file that loading could read."""
    digest = hashlib.blake2b(digest_size=20)
    for path in files(folder):
        digest.update(str(path.relative_to(folder)).encode())
        _update(path, digest)
    return digest.hexdigest()


def files(folder: Path) -> list[Path]:
    """The files of a checkpoint that shape its vectors, sorted: its own and those of its modules."""
    return sorted(path for place in folders(folder) for path in own_files(place))


def own_files(place: Path) -> list[Path]:
    """Those that lie in one folder, what training left there not among them; sorted."""
    found = (path for pattern in (*SHAPING, *WEIGHTS, *CODE) for path in place.glob(pattern))
    return sorted(path for path in found if path.is_file() and not path.name.startswith(IGNORED))


def folders(folder: Path) -> list[Path]:
    """The checkpoint's folder and those in it that may be modules: not copies for other runtimes, nor what training
    left."""
    inside = (path for path in sorted(folder.iterdir()) if path.is_dir())
    found = [folder]
    for place in inside:
        if not place.name.startswith(ELSEWHERE):
            # A router keeps the modules it chooses from in folders of its own.
            found += folders(place) if (place / ROUTER).is_file() else [place]
    return found


def _update(path: Path, digest: Any) -> None:
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)


def _sample_tensors(path: Path, digest: Any) -> None:
    # safetensors: uint64 length of the header, the header as JSON, then the tensors' bytes at the offsets it names.
    try:
        _update_sampled(path, digest)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"not a whole safetensors file ({error}): copy or fetch it again", str(path)) from error


def _update_sampled(path: Path, digest: Any) -> None:
    with path.open("rb") as stream:
        size = int.from_bytes(stream.read(8), "little")
        if 8 + size > path.stat().st_size:
            raise ValueError("it ends before its header does")
        header = stream.read(size)
        digest.update(header)
        for name, entry in sorted(json.loads(header).items()):
            if name == "__metadata__":
                continue
            begin, end = entry["data_offsets"]
            if 8 + size + end > path.stat().st_size:
                raise ValueError(f"it ends before tensor {name}")
            for place in sorted({begin, max(begin, end - EDGE)}):
                stream.seek(8 + size + place)
                digest.update(stream.read(min(EDGE, end - place)))
