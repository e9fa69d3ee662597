"""Text and judgments → neural retrievers: `xsearch train encoder|colbert|sparse`.

A recipe (`recipe`) names stages; a stage fits a model (`student`) to objectives (`tasks` says what each reads and
which function of `objectives/` it is) by one loop (`loop`), on batches drawn by number from a `corpus` that `reading`
made of files, so that a run that was cut short goes on exactly. `training` puts it together; `finish` writes what
`xsearch index --encoder` reads.
"""
