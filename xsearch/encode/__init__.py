"""Text → arrays: encoders, each described by a card."""

from xsearch.encode.bags import TokenBags
from xsearch.encode.card import EncoderCard, SourceNote, read_card, write_card
from xsearch.encode.known import card, known_encoders, load_encoder
from xsearch.encode.protocol import Encoder, PieceEncoder, has_pieces
from xsearch.encode.static import StaticEncoder, Token

__all__ = [
    "Encoder",
    "EncoderCard",
    "PieceEncoder",
    "SourceNote",
    "StaticEncoder",
    "Token",
    "TokenBags",
    "card",
    "has_pieces",
    "known_encoders",
    "load_encoder",
    "read_card",
    "write_card",
]
