"""Encoder cards: what an encoder is, what it was learnt from, and how good it is in which language."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from xsearch.core import BadInput
from xsearch.core.data import data_path


class SourceNote(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Data an encoder was learnt from: name, licence, origin as its publisher gives them."""

    name: str
    licence: str
    origin: str = ""


class Prefixes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is put in front of a text before it is encoded."""

    query: str = ""
    passage: str = ""


class EncoderCard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An encoder, as its TOML file describes it.

    kind: "static" for subword vectors. dim: of a vector. vocabulary: subwords. window: tokens of a passage window.
    max_length: tokens of a text that are read, 0 for all. languages: code → score in 0..1, the share of sentences
    kept from training whose translation is found first among up to 300 (of each language's own data, so that scores of
    two languages compare roughly). files: folder of the weights, relative to the card.
    fingerprint: BLAKE2b of the weights, the tokenizer and the settings, in hexadecimal: vectors of equal fingerprints
    can be compared. scores: measured figures by name.
    """

    name: str
    kind: str
    dim: int
    vocabulary: int
    window: int
    licence: str
    fingerprint: str
    files: str
    description: str = ""
    max_length: int = 0
    prefixes: Prefixes = Prefixes()
    languages: dict[str, float] = {}
    scores: dict[str, float] = {}
    recipe: str = ""
    sources: tuple[SourceNote, ...] = ()


def read_card(path: Path) -> EncoderCard:
    """The card in a TOML file. Raises `BadInput` for unknown keys and wrong types."""
    try:
        return msgspec.toml.decode(path.read_bytes(), type=EncoderCard)
    except msgspec.MsgspecError as error:
        raise BadInput(str(error), str(path)) from error
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}", str(path)) from error


def write_card(card: EncoderCard, path: Path) -> None:
    """Write `card` as TOML, keys in the order of the class, languages and scores in theirs."""
    lines = []
    plain: dict[str, Any] = msgspec.to_builtins(card)
    tables = {key: value for key, value in plain.items() if isinstance(value, dict)}
    lines += [f"{key} = {_value(value)}" for key, value in plain.items() if isinstance(value, str | int | float)]
    for key, table in tables.items():
        lines += ["", f"[{key}]", *(f"{_key(name)} = {_value(value)}" for name, value in table.items())]
    for source in plain["sources"]:
        lines += ["", "[[sources]]", *(f"{name} = {_value(value)}" for name, value in source.items() if value)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _value(value: str | float) -> str:
    return msgspec.json.encode(value).decode() if isinstance(value, str) else repr(value)


def _key(name: str) -> str:
    return name if name.replace("-", "").replace("_", "").isalnum() and name.isascii() else _value(name)


def card_files() -> dict[str, Path]:
    """Name → card file of every encoder that ships."""
    return {path.stem: path for path in sorted(data_path("encoders").glob("*.toml"))}
