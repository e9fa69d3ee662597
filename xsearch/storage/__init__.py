"""What is on disk: SQLite store, manifest, liveness, locks, the file layer, check and repair."""

from xsearch.storage.check import Problem, check_index, hash_files, strays, verify
from xsearch.storage.columns import PassageColumns, append_columns, column_files
from xsearch.storage.compaction import copy_live
from xsearch.storage.copies import backup
from xsearch.storage.files import DiskFiles, Files, durable_write, remove_folder
from xsearch.storage.generated import Generator, GeneratorCount, NewQuestion, Question
from xsearch.storage.liveness import Liveness, live_name
from xsearch.storage.lock import GenerationHold, Holder, in_use, write_lock, writer_of
from xsearch.storage.manifest import (
    FORMAT,
    MANIFEST,
    STORE,
    FileEntry,
    Manifest,
    file_entry,
    generation_folder,
    has_index,
    read_manifest,
    write_manifest,
)
from xsearch.storage.reader import StoreReader
from xsearch.storage.records import (
    Added,
    Counts,
    NewDocument,
    NewPassage,
    Removed,
    SourceState,
    StoredDocument,
    StoredPassage,
)
from xsearch.storage.store import Store

__all__ = [
    "FORMAT",
    "MANIFEST",
    "STORE",
    "Added",
    "Counts",
    "DiskFiles",
    "FileEntry",
    "Files",
    "GenerationHold",
    "Generator",
    "GeneratorCount",
    "Holder",
    "Liveness",
    "Manifest",
    "NewDocument",
    "NewPassage",
    "NewQuestion",
    "PassageColumns",
    "Problem",
    "Question",
    "Removed",
    "SourceState",
    "Store",
    "StoreReader",
    "StoredDocument",
    "StoredPassage",
    "append_columns",
    "backup",
    "check_index",
    "column_files",
    "copy_live",
    "durable_write",
    "file_entry",
    "generation_folder",
    "has_index",
    "hash_files",
    "in_use",
    "live_name",
    "read_manifest",
    "remove_folder",
    "strays",
    "verify",
    "write_lock",
    "write_manifest",
    "writer_of",
]
