"""Text → arrays: encoders, each described by a card."""
