"""Text → arrays: encoders, each described by a card."""

from xsearch.encode.bags import TokenBags
from xsearch.encode.card import EncoderCard, SourceNote, read_card, write_card
from xsearch.encode.known import card, known_encoders, load_encoder, load_multivector, load_sparse
from xsearch.encode.neural import Runtime
from xsearch.encode.protocol import (
    AnyEncoder,
    Encoder,
    MultiVectorEncoder,
    PieceEncoder,
    SparseEncoder,
    has_pieces,
)
from xsearch.encode.static import StaticEncoder, Token

__all__ = [
    "AnyEncoder",
    "Encoder",
    "EncoderCard",
    "MultiVectorEncoder",
    "PieceEncoder",
    "Runtime",
    "SourceNote",
    "SparseEncoder",
    "StaticEncoder",
    "Token",
    "TokenBags",
    "card",
    "has_pieces",
    "known_encoders",
    "load_encoder",
    "load_multivector",
    "load_sparse",
    "read_card",
    "write_card",
]
