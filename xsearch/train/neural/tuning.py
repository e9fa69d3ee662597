"""Which parameters are fitted: all, low-rank changes, or a prompt; afterwards the network is an ordinary one."""

from __future__ import annotations

import warnings
from typing import Any

from xsearch.core.extras import need
from xsearch.encode.neural.build import quiet
from xsearch.train.neural.recipe import Model, Tuning

PROMPT = "[PROMPT{}]"


def prepare(transformer: Any, tokenizer: Any, settings: Model) -> tuple[Any, Model]:
    """The network with only those parameters to be fitted that `settings.tuning` names, and the settings to train
    with."""
    tuning = settings.tuning
    if tuning.method == "lora":
        return _with_lora(transformer, tuning), settings
    if tuning.method == "prompt":
        return transformer, _with_prompt(transformer, tokenizer, settings)
    return transformer, settings


def finish(transformer: Any) -> Any:
    """The network as it is used: low-rank changes added to the weights."""
    merge = getattr(transformer, "merge_and_unload", None)
    return merge() if merge else transformer


def _with_lora(transformer: Any, tuning: Tuning) -> Any:
    """W + (alpha / rank) B A in every linear layer but the vocabulary's (Hu et al. 2022, "LoRA", equation 3)."""
    peft = need("peft", "neural", "low-rank tuning")
    config = peft.LoraConfig(r=tuning.rank, lora_alpha=tuning.alpha, target_modules="all-linear")
    with warnings.catch_warnings():
        # peft asks transformers for a name that is about to change.
        warnings.simplefilter("ignore", FutureWarning)
        return peft.get_peft_model(transformer, config)


def _with_prompt(transformer: Any, tokenizer: Any, settings: Model) -> Model:
    """New tokens in front of every text, whose vectors alone are fitted (Lester et al. 2021, "The power of scale for
    parameter-efficient prompt tuning"): a soft prompt that any loader of the checkpoint understands."""
    import msgspec
    import torch

    names = [PROMPT.format(n) for n in range(settings.tuning.length)]
    tokenizer.add_tokens(names, special_tokens=True)
    with quiet(need("transformers", "neural", "prompt tuning")):
        transformer.resize_token_embeddings(len(tokenizer), mean_resizing=True)
    for parameter in transformer.parameters():
        parameter.requires_grad_(False)
    table = transformer.get_input_embeddings().weight
    table.requires_grad_(True)
    table.undecayed = True
    first = len(tokenizer) - len(names)
    rows = (torch.arange(table.shape[0]) >= first).unsqueeze(1)
    table.register_hook(lambda gradient: gradient * rows.to(gradient))
    prompt = "".join(names)
    return msgspec.structs.replace(settings, query=prompt + settings.query, passage=prompt + settings.passage)
