"""Neural encoders: checkpoints in the formats of transformers and sentence-transformers, run by torch.

`checkpoint` finds a model on disk and refuses what could run code, `describe` makes its card, `network` runs it in
batches that `tokens` and `batches` lay out, and `dense`, `multivector`, `sparse` turn what comes out into vectors.
`load` leads from a name to an encoder. Nothing here imports torch before an encoder is loaded.
"""

from xsearch.encode.neural.runtime import Runtime

__all__ = ["Runtime"]
