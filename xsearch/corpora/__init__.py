"""Files → Documents, Topics, Qrels. `formats/` says how a file is parsed, `collections/` which files make HC4."""

from xsearch.corpora.evaluation_files import evaluation_file
from xsearch.corpora.folders import scan
from xsearch.corpora.reading import read, read_path, read_stdin
from xsearch.corpora.source import BadRecord, ReadOptions, Source, file_hash

__all__ = [
    "BadRecord",
    "ReadOptions",
    "Source",
    "evaluation_file",
    "file_hash",
    "read",
    "read_path",
    "read_stdin",
    "scan",
]
