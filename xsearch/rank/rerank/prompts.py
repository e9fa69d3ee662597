"""What language models are asked, and the words by which they answer."""

from __future__ import annotations

import re

from xsearch.core import BadInput
from xsearch.rank.rerank.opened import Opened


def fill(template: str, **values: str) -> str:
    """A template with each {name} that has a value replaced by it; other braces, those of the values too, stay."""
    return re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], found[0]), template)


def check_prompt(opened: Opened, prompt: str, *names: str) -> None:
    """Raise `BadInput` for a prompt that lacks a place to fill in."""
    for name in names:
        if f"{{{name}}}" not in prompt:
            raise BadInput(f"card of reranker '{opened.card.name}', settings: the prompt lacks {{{name}}}")


def token_number(opened: Opened, name: str) -> int:
    """The number of a token, given as the vocabulary writes it or as text that is one token. Raises `BadInput` for
    what is not."""
    vocabulary = opened.tokenizer.get_vocab()
    if name in vocabulary:
        return int(vocabulary[name])
    pieces = opened.tokenizer.encode(name, add_special_tokens=False)
    if len(pieces) == 1 and pieces[0] != opened.tokenizer.unk_token_id:
        return int(pieces[0])
    raise BadInput(
        f"'{name}' is not one token of {opened.checkpoint.folder}: name the words it was trained to answer with in "
        f"the settings of the card of '{opened.card.name}'"
    )
