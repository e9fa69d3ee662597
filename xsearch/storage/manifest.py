"""The manifest: one small JSON file that says what the index is. Replacing it is the commit (D2).

Whatever on disk it does not name does not exist. It carries a checksum of itself and of every file it names, except
`store.db`, which changes in place and checks its own rows.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec

from xsearch.core import BadInput, IndexDamaged
from xsearch.storage.files import Files, durable_write

FORMAT = 1
"""The format this program writes, and the newest it reads."""

MANIFEST = "manifest.json"
STORE = "store.db"


class FileEntry(msgspec.Struct, frozen=True):
    """A file as it was when committed: size in bytes and BLAKE2b-256 of its content, in hexadecimal."""

    size: int
    blake2b: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An index as of one commit.

    commit: 0 for an index just created, then counting. generation: which folder `gen-NNNNNN` holds the data;
    compaction makes the next one. high_water: the number the next passage will get. documents, passages: how many
    are alive. languages: codes in the order of the passage columns' language numbers; only ever appended to. recipe:
    as resolved at creation. encoder: name, fingerprint and what else identifies it, None without one. analyzers: by
    language, name, version and fingerprint. retrievers: by name, each one's own state. live, columns: the liveness
    file's name and the passage columns' state, within the generation folder. files: by path relative to the index
    folder, with "/". created, updated: ISO 8601, UTC.
    """

    commit: int
    generation: int
    high_water: int
    documents: int
    passages: int
    languages: tuple[str, ...]
    recipe: dict[str, Any]
    encoder: dict[str, Any] | None
    analyzers: dict[str, tuple[str, str, str]]
    retrievers: dict[str, dict[str, Any]]
    live: str
    columns: dict[str, Any]
    files: dict[str, FileEntry]
    created: str
    updated: str
    format: int = FORMAT


def file_entry(path: Path) -> FileEntry:
    """Size and checksum of a file. Raises OSError."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=32))
        return FileEntry(stream.tell(), digest.hexdigest())


def generation_folder(folder: Path, generation: int) -> Path:
    """Where a generation's files lie: ``gen-000001`` within the index folder."""
    return folder / f"gen-{generation:06d}"


def has_index(folder: Path) -> bool:
    """Whether `folder` holds an index, whole or damaged."""
    return (folder / MANIFEST).is_file()


def read_manifest(folder: Path) -> Manifest:
    """The manifest of the index at `folder`.

    Raises `BadInput` where there is no index, `IndexDamaged` where the manifest is cut short, altered, or of a
    format newer than `FORMAT`.
    """
    path = folder / MANIFEST
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise BadInput(f"no index at {folder}: run `xsearch index PATH -i {folder}` to make one") from None
    except NotADirectoryError:
        raise BadInput(f"{folder} is a file, not the folder of an index") from None
    except OSError as error:
        raise IndexDamaged(f"{path} cannot be read: {error.strerror}") from error
    return parse_manifest(content, path)


def parse_manifest(content: bytes, path: Path) -> Manifest:
    """The manifest that `content` holds; `path` is named in errors, which are those of `read_manifest`."""
    try:
        fields = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise IndexDamaged(f"{path} is not a whole JSON document ({error}): {_RESTORE}") from error
    if not isinstance(fields, dict) or not isinstance(fields.get("format"), int):
        raise IndexDamaged(f"{path} is no manifest of xsearch: {_RESTORE}")
    if fields["format"] > FORMAT:
        raise IndexDamaged(
            f"{path}: made by a newer xsearch (format {fields['format']}); this one reads {FORMAT}: upgrade xsearch"
        )
    if fields.pop("checksum", None) != _checksum(fields):
        raise IndexDamaged(f"{path} was altered: its checksum does not match: {_RESTORE}")
    try:
        return msgspec.convert(fields, Manifest)
    except msgspec.ValidationError as error:
        raise IndexDamaged(f"{path}: {error}: {_RESTORE}") from error


def write_manifest(files: Files, folder: Path, manifest: Manifest) -> None:
    """Commit: make `manifest` the one of `folder`. Everything it names must be durable already."""
    fields = msgspec.to_builtins(manifest)
    fields["checksum"] = _checksum(fields)
    content = msgspec.json.format(msgspec.json.encode(fields), indent=1)
    durable_write(files, folder / MANIFEST, content)


_RESTORE = "restore it from a backup, or index the documents again"


def _checksum(fields: dict[str, Any]) -> str:
    """BLAKE2b-256 of the fields, themselves without a checksum, as JSON in one fixed form."""
    return hashlib.blake2b(msgspec.json.encode(fields, order="sorted"), digest_size=32).hexdigest()
