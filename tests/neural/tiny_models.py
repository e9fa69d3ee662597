"""Models of a few thousand random weights, saved as the real ones are: the formats are real, only the sizes are not."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    BertModel,
    DebertaV2Config,
    DebertaV2ForSequenceClassification,
    MT5Config,
    MT5ForConditionalGeneration,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3ForSequenceClassification,
    Qwen3Model,
    XLMRobertaConfig,
    XLMRobertaForMaskedLM,
    XLMRobertaForSequenceClassification,
    XLMRobertaModel,
    XmodConfig,
    XmodModel,
)

TEXTS = [
    "The river flooded the old town, and the bridge was closed for a week.",
    "Der Fluss überschwemmte die Altstadt; die Brücke war eine Woche lang gesperrt.",
    "Река затопила старый город, мост закрыли на неделю.",
    "Le fleuve a inondé la vieille ville et le pont est resté fermé pendant une semaine.",
    "河水淹没了老城，大桥关闭了一个星期。",
    "Nehir eski şehri su altında bıraktı, köprü bir hafta kapalı kaldı.",
    "A short one.",
    "Prices of wheat rose again in March: bread, flour and pasta cost more than ever before.",
]
SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
POSITIONS = 130


def learnt_pieces(tokenizer: Tokenizer, texts: list[str], most_words: int, inside: str = "") -> Counter[str]:
    """Pieces of `texts` and how often each stands there: all characters, those within a word with `inside` before them,
    and the longest words. The library's trainers number pieces as a hash has them, so that each run
    would make another model."""
    single: Counter[str] = Counter()
    words: Counter[str] = Counter()
    for text in texts:
        for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(tokenizer.normalizer.normalize_str(text)):
            single.update((inside if place else "") + character for place, character in enumerate(word))
            words[word] += 1 < len(word) < 16
    ranked = sorted(words, key=lambda word: (-len(word), word))[:most_words]
    return single + Counter({word: words[word] for word in ranked})


def unigram_tokenizer() -> PreTrainedTokenizerFast:
    """As XLM-R's: pieces with ▁, <s> text </s>."""
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    found = learnt_pieces(tokenizer, [*TEXTS, *"abcdefghijklmnopqrstuvwxyz,.:"], 40)
    scores = [(piece, math.log(found[piece] / found.total())) for piece in sorted(found)]
    tokenizer.model = models.Unigram([*((piece, 0.0) for piece in special), *scores], special.index("<unk>"), False)
    tokenizer.add_special_tokens(special)
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        cls_token="<s>",
        eos_token="</s>",
        sep_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        mask_token="<mask>",
        model_max_length=POSITIONS - 2,
    )


def wordpiece_tokenizer() -> PreTrainedTokenizerFast:
    """As BERT's: ## pieces, [CLS] text [SEP], with [unused0] and [unused1] in the vocabulary."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    found = learnt_pieces(tokenizer, [*TEXTS, ", . : ; !"], 40, "##")
    pieces = [*special, *sorted(found), "[unused0]", "[unused1]"]
    tokenizer.model = models.WordPiece({piece: number for number, piece in enumerate(pieces)}, unk_token="[UNK]")
    tokenizer.add_special_tokens(special)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        cls_token="[CLS]",
        sep_token="[SEP]",
        pad_token="[PAD]",
        unk_token="[UNK]",
        mask_token="[MASK]",
        model_max_length=POSITIONS,
    )


def save(folder: Path, model: torch.nn.Module, tokenizer: PreTrainedTokenizerFast | None) -> Path:
    """Write model and tokenizer as transformers does."""
    model.save_pretrained(folder)
    if tokenizer is not None:
        tokenizer.save_pretrained(folder)
    return folder


def xlmr(folder: Path, seed: int = 0, masked: bool = False) -> Path:
    """A small XLM-R."""
    torch.manual_seed(seed)
    tokenizer = unigram_tokenizer()
    config = XLMRobertaConfig(
        vocab_size=len(tokenizer), max_position_embeddings=POSITIONS, pad_token_id=1, type_vocab_size=1, **SIZES
    )
    model = XLMRobertaForMaskedLM(config) if masked else XLMRobertaModel(config, add_pooling_layer=False)
    return save(folder, spread(model), tokenizer)


def bert(folder: Path, seed: int = 0, masked: bool = False) -> Path:
    """A small BERT."""
    torch.manual_seed(seed)
    tokenizer = wordpiece_tokenizer()
    config = BertConfig(vocab_size=len(tokenizer), max_position_embeddings=POSITIONS, **SIZES)
    model = BertForMaskedLM(config) if masked else BertModel(config, add_pooling_layer=False)
    return save(folder, spread(model), tokenizer)


def xmod(folder: Path, languages: tuple[str, ...] = ("en_XX", "de_DE", "ru_RU", "hi_IN"), seed: int = 0) -> Path:
    """A small X-MOD with a module a language."""
    torch.manual_seed(seed)
    tokenizer = unigram_tokenizer()
    config = XmodConfig(
        vocab_size=len(tokenizer),
        max_position_embeddings=POSITIONS,
        pad_token_id=1,
        type_vocab_size=1,
        languages=list(languages),
        default_language="en_XX",
        adapter_reduction_factor=2,
        **SIZES,
    )
    return save(folder, spread(XmodModel(config, add_pooling_layer=False)), tokenizer)


def stanford(folder: Path, base: Path, metadata: dict, extra_rows: int = 0) -> Path:
    """A checkpoint as Stanford's code saves it: the base model under its prefix, `linear.weight`, the metadata."""
    weights = load_file(base / "model.safetensors")
    config = json.loads((base / "config.json").read_text())
    prefix = {"bert": "bert", "xlm-roberta": "roberta", "xmod": "roberta"}[config["model_type"]]
    torch.manual_seed(5)
    table = "embeddings.word_embeddings.weight"
    if extra_rows:
        weights[table] = torch.cat([weights[table], torch.randn(extra_rows, 32) / 6])
        config["vocab_size"] += extra_rows
    saved = {f"{prefix}.{name}": weight.contiguous() for name, weight in weights.items()}
    saved["linear.weight"] = torch.randn(16, 32) / 6
    folder.mkdir()
    save_file(saved, folder / "model.safetensors", {"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config | {"architectures": ["HF_ColBERT"]}))
    (folder / "artifact.metadata").write_text(json.dumps(metadata))
    AutoTokenizer.from_pretrained(base).save_pretrained(folder)
    return folder


def decoder(folder: Path, seed: int = 0) -> Path:
    """A small Qwen3 whose tokenizer has no padding token."""
    torch.manual_seed(seed)
    tokenizer = unigram_tokenizer()
    tokenizer.pad_token = None
    sizes = SIZES | {"num_key_value_heads": 2, "head_dim": 8}
    config = Qwen3Config(vocab_size=len(tokenizer), max_position_embeddings=POSITIONS, pad_token_id=None, **sizes)
    return save(folder, spread(Qwen3Model(config)), tokenizer)


def classifier(folder: Path, family: str = "xlmr", labels: int = 1, seed: int = 0) -> Path:
    """A small cross-encoder: "xlmr", "bert", "deberta" or a "decoder" with a head for classification."""
    torch.manual_seed(seed)
    tokenizer = wordpiece_tokenizer() if family == "bert" else unigram_tokenizer()
    sizes = SIZES | {"vocab_size": len(tokenizer), "num_labels": labels}
    if family == "bert":
        config = BertConfig(max_position_embeddings=POSITIONS, **sizes)
        return save(folder, spread(BertForSequenceClassification(config)), tokenizer)
    if family == "deberta":
        config = DebertaV2Config(max_position_embeddings=POSITIONS, pad_token_id=1, relative_attention=True, **sizes)
        return save(folder, spread(DebertaV2ForSequenceClassification(config)), tokenizer)
    if family == "decoder":
        tokenizer.pad_token = None
        grouped = sizes | {"num_key_value_heads": 2, "head_dim": 8}
        config = Qwen3Config(max_position_embeddings=POSITIONS, pad_token_id=None, **grouped)
        return save(folder, spread(Qwen3ForSequenceClassification(config)), tokenizer)
    config = XLMRobertaConfig(max_position_embeddings=POSITIONS, pad_token_id=1, type_vocab_size=1, **sizes)
    return save(folder, spread(XLMRobertaForSequenceClassification(config)), tokenizer)


def mt5(folder: Path, seed: int = 0, trainable: bool = False) -> Path:
    """A small mT5, with the letters among its tokens. trainable: with the weights that transformers begins with, which
    it takes few steps to teach."""
    torch.manual_seed(seed)
    tokenizer = unigram_tokenizer()
    config = MT5Config(
        vocab_size=len(tokenizer),
        d_model=32,
        d_kv=8,
        d_ff=48,
        num_layers=2,
        num_heads=4,
        pad_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=1,
    )
    model = MT5ForConditionalGeneration(config)
    return save(folder, model if trainable else spread(model), tokenizer)


CHAT = (
    "{% for message in messages %}<{{ message['role'] }}>{{ message['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}<answer>{% endif %}"
)
"""A chat template in a line."""


def causal(folder: Path, chat: bool = True, positions: int = 600, seed: int = 0) -> Path:
    """A small Qwen3 that writes, its tokenizer without a padding token."""
    torch.manual_seed(seed)
    tokenizer = unigram_tokenizer()
    tokenizer.pad_token = None
    tokenizer.model_max_length = positions
    if chat:
        tokenizer.chat_template = CHAT
    sizes = SIZES | {"num_key_value_heads": 2, "head_dim": 8}
    config = Qwen3Config(vocab_size=len(tokenizer), max_position_embeddings=positions, pad_token_id=None, **sizes)
    return save(folder, spread(Qwen3ForCausalLM(config)), tokenizer)


def spread(model: torch.nn.Module) -> torch.nn.Module:
    """Weights as far apart as a trained model's: the usual start is so even that all texts look alike."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() > 1:
                weight.copy_(torch.randn(weight.shape, generator=generator) / weight.shape[-1] ** 0.5)
            elif "bias" in name:
                weight.copy_(torch.randn(weight.shape, generator=generator) * 0.1)
    return model.eval()
