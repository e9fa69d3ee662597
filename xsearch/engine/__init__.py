"""`Index`, the only assembler: add, delete, search, commit, compact."""
