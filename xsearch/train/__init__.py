"""Text and judgments → weights."""
