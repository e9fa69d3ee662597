"""What all objectives of recipes have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from xsearch.train.neural.student import Student


class Task(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="objective"):
    """One objective of a stage: `draw` makes its batch from a corpus, `loss` its part of the loss. weight: of that part
    in the sum."""

    weight: float = 1.0

    def check(self, kind: str, where: str) -> None:
        """Raise `BadInput` where an encoder of `kind` cannot be trained so."""

    def needs_words(self) -> bool:
        """Whether it predicts words, with the checkpoint's masked-LM head."""
        return False

    def needs_teacher(self) -> bool:
        """Whether it compares with the network as it was before training."""
        return False

    def parts(self, student: Student) -> dict[str, Any]:
        """Modules of torch that learn or move along and are left out of what is written, by name."""
        return {}
