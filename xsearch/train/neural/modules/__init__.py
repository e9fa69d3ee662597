"""Text and judgments → modules of a reranker, and whole cross-encoders: `xsearch train reranker`.

`language` learns a language module by predicting masked words, `ranking` a ranking module from pairs on top of one,
`crossencoder` fits a whole model; `weights` says which parameters a kind of module has, `ticket` finds those of a
sparse one, `texts` and `pairs` draw batches. Everything is fitted by `xsearch.train.neural.loop`.
"""
