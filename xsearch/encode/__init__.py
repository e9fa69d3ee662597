"""Text → arrays: encoders, each described by a card."""

from xsearch.encode.bags import TokenBags
from xsearch.encode.card import EncoderCard, SourceNote, read_card, write_card
from xsearch.encode.known import (
    card,
    card_folder,
    checkpoint_named,
    known_encoders,
    load_encoder,
    load_multivector,
    load_sparse,
)
from xsearch.encode.neural import Runtime
from xsearch.encode.protocol import (
    AnyEncoder,
    Encoder,
    LocatingEncoder,
    MultiVectorEncoder,
    PieceEncoder,
    SparseEncoder,
    has_pieces,
    locates,
)
from xsearch.encode.static import StaticEncoder, Token

__all__ = [
    "AnyEncoder",
    "Encoder",
    "EncoderCard",
    "LocatingEncoder",
    "MultiVectorEncoder",
    "PieceEncoder",
    "Runtime",
    "SourceNote",
    "SparseEncoder",
    "StaticEncoder",
    "Token",
    "TokenBags",
    "card",
    "card_folder",
    "checkpoint_named",
    "has_pieces",
    "known_encoders",
    "load_encoder",
    "load_multivector",
    "load_sparse",
    "locates",
    "read_card",
    "write_card",
]
