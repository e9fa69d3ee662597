"""A network to begin from: thin layers over a vocabulary of the data, its token vectors begun from a static encoder's.

The static encoder already knows which pieces of all languages mean the same; a network that begins with its vectors is
multilingual before its first step, as those of WECHSEL and OFA are that begin with another vocabulary.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from xsearch.core import BadInput, FloatArray
from xsearch.encode import StaticEncoder, load_encoder
from xsearch.encode.folding import FOLDED_MARKS
from xsearch.encode.pooling import sum_bags
from xsearch.encode.unigram import START
from xsearch.train.neural.corpus import Corpus
from xsearch.train.neural.recipe import Fresh
from xsearch.train.vocabulary import TEXT_LENGTH, learn_pieces

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
KEPT_MARKS = "\u0309\u031b\u0323"
"""Hook, horn and dot below tell Vietnamese words apart."""

SILENT = 2.5
"""Standard deviations of a chance similarity below which an entry of a fresh sparse network counts for nothing."""


def fresh_model(settings: Fresh, corpus: Corpus, seed: int) -> tuple[Any, Any]:
    """(network with a masked-LM head, tokenizer) made from the texts of `corpus`. Draws from torch's generator."""
    import torch
    from transformers import BertConfig, BertForMaskedLM

    texts = corpus.texts(settings.texts, np.random.default_rng([seed, 11])).texts.texts
    tokenizer = learn_tokenizer(settings, texts)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=settings.hidden,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        intermediate_size=settings.inner,
        max_position_embeddings=settings.positions,
        pad_token_id=0,
    )
    model = BertForMaskedLM(config)
    if settings.static:
        table = model.get_input_embeddings().weight
        vectors = started_vectors(settings.static, tokenizer, settings.hidden, seed)
        length = config.initializer_range * np.sqrt(settings.hidden)
        with torch.no_grad():
            known = np.flatnonzero(np.linalg.norm(vectors, axis=1))
            table[torch.from_numpy(known)] = torch.from_numpy(vectors[known] * np.float32(length))
    return model, tokenizer


def start_words(model: Any) -> None:
    """Begin the masked-LM head of a fresh network with what stands in a text and what means the same: states, which
    begin near the token vectors, are compared with these as they are, and only what is nearer than by chance counts.
    With a head of random numbers all entries are as likely, and learning gives up all of them together."""
    import torch

    predictions, config = model.cls.predictions, model.config
    torch.nn.init.eye_(predictions.transform.dense.weight)
    # A state has the length √hidden, a token vector the standard deviation of its numbers times that.
    chance = config.initializer_range * np.sqrt(config.hidden_size)
    torch.nn.init.constant_(predictions.decoder.bias, -SILENT * chance)


def fresh_generator(settings: Fresh, texts: Sequence[str], seed: int) -> tuple[Any, Any]:
    """(a small mT5 that knows nothing yet, tokenizer made from `texts`): what a generator of questions can be tried
    with. Its questions are lower-cased and without punctuation."""
    import torch
    from transformers import MT5Config, MT5ForConditionalGeneration

    tokenizer = learn_tokenizer(settings, texts[: settings.texts])
    config = MT5Config(
        vocab_size=len(tokenizer),
        d_model=settings.hidden,
        d_kv=settings.hidden // settings.heads,
        d_ff=settings.inner,
        num_layers=settings.layers,
        num_heads=settings.heads,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.sep_token_id,
        decoder_start_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        return MT5ForConditionalGeneration(config), tokenizer


def learn_tokenizer(settings: Fresh, texts: Sequence[str]) -> Any:
    """The pieces that a static encoder would learn from `texts`, in a tokenizer that folds words nearly as it does:
    lower-cased, without most marks, cut where scripts change, without punctuation."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    learnt = learn_pieces([text[:TEXT_LENGTH] for text in texts], settings.vocabulary - len(SPECIAL))[1:]
    pieces = [*((name, 0.0) for name in SPECIAL), *learnt]
    tokenizer = Tokenizer(models.Unigram(pieces, SPECIAL.index("[UNK]"), False))
    removed = re.sub(f"[{KEPT_MARKS}]", "", "".join(c for c in map(chr, range(0x300, 0x6EF)) if FOLDED_MARKS.match(c)))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Lowercase(), normalizers.NFKD(), normalizers.Replace(Regex(f"[{removed}]"), ""), normalizers.NFC()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.Punctuation("removed"),
            pre_tokenizers.Split(Regex(r"[\p{S}\p{C}]+"), "removed"),
            pre_tokenizers.UnicodeScripts(),
            pre_tokenizers.Metaspace(START, "always", split=False),
        ]
    )
    tokenizer.decoder = decoders.Metaspace(START, "always", split=False)
    tokenizer.add_special_tokens(list(SPECIAL))
    cls, sep = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", cls), ("[SEP]", sep)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        cls_token="[CLS]",
        sep_token="[SEP]",
        pad_token="[PAD]",
        unk_token="[UNK]",
        mask_token="[MASK]",
        model_max_length=settings.positions,
    )


def started_vectors(static: str, tokenizer: Any, width: int, seed: int) -> FloatArray:
    """Vectors of a vocabulary's pieces, float32 (pieces, width), from a static encoder: the sum of the vectors of what
    it spells a piece with, scaled to length 1; zeros where it cannot. A width smaller than the encoder's keeps what
    varies most (OFA: Liu et al. 2024 factorise the same way), a larger one is reached by a random rotation."""
    encoder = load_encoder(static)
    if not isinstance(encoder, StaticEncoder):
        raise BadInput(f"{static} is no static encoder: its pieces have no vectors of their own")
    pieces = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    spelled = ["" if piece in SPECIAL else piece.replace(START, " ") for piece in pieces]
    bags = encoder.token_bags(spelled)
    numbers, places = np.unique(bags.tokens, return_inverse=True)
    sums = sum_bags(encoder.token_vectors(numbers), places, bags.starts)
    dim = sums.shape[1]
    if width < dim:
        axes = np.linalg.eigh(sums.T @ sums)[1][:, ::-1][:, :width]
    else:
        axes = np.linalg.qr(np.random.default_rng(seed).standard_normal((width, dim)))[0].T
    turned = (sums @ axes).astype(np.float32)
    lengths = np.linalg.norm(turned, axis=1, keepdims=True)
    scaled: FloatArray = np.divide(turned, lengths, out=np.zeros_like(turned), where=lengths > 1e-6)
    return scaled
