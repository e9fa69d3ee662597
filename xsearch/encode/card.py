"""Encoder cards: what an encoder is, what it was learnt from, and how good it is in which language."""

from __future__ import annotations

import tomllib
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

    kind: "static" for subword vectors; "dense" (a vector a text), "multivector" (one a token) and "sparse" (weights of
    vocabulary entries) for neural ones. dim: of a vector, the vocabulary's size for "sparse". max_length: tokens of a
    text that are read at once, 0 for all. languages: code → score in 0..1; for the encoder that ships, the share of
    sentences kept from training whose translation is found first among up to 300 (of each language's own data, so that
    scores of two languages compare roughly). unmeasured: those of them whose score is assumed. fingerprint: BLAKE2b of
    the weights, the tokenizer and the settings, in hexadecimal: vectors of equal fingerprints can be compared. scores:
    measured figures by name.

    Static: vocabulary: subwords. window: tokens of a passage window. files: folder of the weights, relative to the
    card. base: name and fingerprint of the encoder it was trained on top of. extends: fingerprints of vocabularies that
    its own begins with, so that translation tables of these fit it too.

    Neural: model: its name on the hub, or the path of its folder, relative to the card. revision: the commit it was
    seen at. pooling: how tokens' vectors become one: "mean", "cls", "lasttoken" or what else sentence-transformers
    knows. Vectors are always scaled to length 1. matryoshka: dimensions it may be cut to (Kusupati et al.
    2022). query_length: tokens of a query, where they are fewer than `max_length`. language_set: a name in
    `encoders/languages/sets.toml`; its languages score 1 unless `languages` says otherwise. nearest: for encoders with
    modules per language, the one to use for a language that has none. remote_code: the checkpoint needs Python code of
    its own. trusted: of a checkpoint that could run code, the hash of its files when the user vouched for them. What
    stands in neither card nor checkpoint has sentence-transformers' defaults.
    """

    name: str
    kind: str
    dim: int
    licence: str = ""
    vocabulary: int = 0
    window: int = 0
    fingerprint: str = ""
    files: str = ""
    base: str = ""
    extends: tuple[str, ...] = ()
    description: str = ""
    model: str = ""
    revision: str = ""
    pooling: str = ""
    matryoshka: tuple[int, ...] = ()
    query_length: int = 0
    max_length: int = 0
    remote_code: bool = False
    trusted: str = ""
    language_set: str = ""
    prefixes: Prefixes = Prefixes()
    unmeasured: tuple[str, ...] = ()
    languages: dict[str, float] = {}
    nearest: dict[str, str] = {}
    scores: dict[str, float] = {}
    recipe: str = ""
    sources: tuple[SourceNote, ...] = ()


def read_card(path: Path) -> EncoderCard:
    """The card in a TOML file. Raises `BadInput` for unknown keys and wrong types."""
    try:
        return msgspec.toml.decode(path.read_bytes(), type=EncoderCard)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadInput(str(error), str(path)) from error
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}", str(path)) from error


def kind_of(path: Path) -> str:
    """What a card is of, "" where it does not say. Raises `BadInput` for what is no TOML; of tables, which follow, it
    reads nothing: they may hold hundreds of languages."""
    try:
        text = path.read_text(encoding="utf-8")
        try:
            found = tomllib.loads(text.partition("\n[")[0])
        except tomllib.TOMLDecodeError:
            # A list, or a text of several lines, may have a line that looks like a table's.
            found = tomllib.loads(text)
        return str(found.get("kind", ""))
    except (OSError, ValueError) as error:
        raise BadInput(f"no card: {error}", str(path)) from error


def write_card(card: EncoderCard, path: Path) -> None:
    """Write `card` as TOML, keys in the order of the class, languages and scores in theirs."""
    write_toml(card, path)


def write_toml(card: msgspec.Struct, path: Path) -> None:
    """Write a card of any kind as TOML: texts and numbers, then flat tables, then `sources`."""
    lines = []
    plain: dict[str, Any] = msgspec.to_builtins(card)
    tables = {key: value for key, value in plain.items() if isinstance(value, dict)}
    defaults = {field.name: field.default for field in msgspec.structs.fields(type(card))}
    lines += [
        f"{key} = {_value(value)}"
        for key, value in plain.items()
        if key not in ("sources", *tables) and value != defaults.get(key)
    ]
    for key, table in tables.items():
        if not table:
            continue
        lines += ["", f"[{key}]", *(f"{_key(name)} = {_value(value)}" for name, value in table.items())]
    for source in plain["sources"]:
        lines += ["", "[[sources]]", *(f"{name} = {_value(value)}" for name, value in source.items() if value)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _value(value: Any) -> str:
    return repr(value) if isinstance(value, float) else msgspec.json.encode(value).decode()


def _key(name: str) -> str:
    return name if name.replace("-", "").replace("_", "").isalnum() and name.isascii() else _value(name)


def card_files() -> dict[str, Path]:
    """Name → card file of every encoder that ships."""
    return {path.stem: path for path in sorted(data_path("encoders").glob("*.toml"))}
