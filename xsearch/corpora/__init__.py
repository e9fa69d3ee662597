"""Files → Documents, Topics, Qrels. `formats/` says how a file is parsed, `collections/` which files make HC4."""
