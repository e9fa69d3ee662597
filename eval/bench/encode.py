"""Encoding speed of a neural encoder, with sentence-transformers' own `encode` on the same texts in the same run.

    python eval/bench/encode.py --data ../shared/data/parallel [--model FOLDER] [--device auto] [--texts 400]

Texts are sentences of parallel text in all its languages, joined so that lengths are skewed as passages' are (Pareto,
shape 1), each within the network's window. Without --model a small XLM-R with random weights is made. Both encode the
same texts in turns; `ratio` is sentence-transformers' time by ours, by the wall clock and, for a CPU that others use
too, by the processor's; `cosine` the least agreement of the two's vectors. Appends rows to
`eval/results/encode.jsonl`.
"""

from __future__ import annotations

import argparse
import json
import lzma
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from xsearch.encode import Runtime, load_encoder

ROOT = Path(__file__).resolve().parents[2]
SEED = 11
POSITIONS = 512


def sentences(data: Path, most: int) -> list[str]:
    """Sentences of every file of parallel text, in all languages, shuffled."""
    found = []
    for path in sorted(data.glob("*.jsonl.xz")):
        if path.name.endswith(".sections.jsonl.xz"):
            continue
        with lzma.open(path, "rt", encoding="utf-8") as lines:
            for line, _ in zip(lines, range(most), strict=False):
                found += [text for text in json.loads(line).values() if isinstance(text, str) and len(text) > 20]
    random.Random(SEED).shuffle(found)
    return found


def small_model(folder: Path, texts: list[str]) -> Path:
    """An XLM-R of 3 layers of 384 numbers, with a vocabulary learnt from `texts`."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast, XLMRobertaConfig, XLMRobertaModel

    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(vocab_size=20_000, special_tokens=special, unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator(texts[:20_000], trainer)
    tokenizer.post_processor = processors.TemplateProcessing("<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", cls_token="<s>", sep_token="</s>",
        pad_token="<pad>", unk_token="<unk>", model_max_length=POSITIONS,
    )  # fmt: skip
    torch.manual_seed(SEED)
    config = XLMRobertaConfig(
        vocab_size=len(wrapped), max_position_embeddings=POSITIONS + 2, pad_token_id=1, type_vocab_size=1,
        hidden_size=384, num_hidden_layers=3, num_attention_heads=12, intermediate_size=1536,
    )  # fmt: skip
    XLMRobertaModel(config, add_pooling_layer=False).save_pretrained(folder)
    wrapped.save_pretrained(folder)
    return folder


def skewed(sentences: list[str], count: int, lengths: Callable[[list[str]], list[int]], limit: int) -> list[str]:
    """Texts of one to a dozen sentences, most of them of one, none over `limit` tokens."""
    rng, made, at = random.Random(SEED), [], 0
    while len(made) < count * 2 and at < len(sentences):
        taken = min(12, int(rng.paretovariate(1.0)))
        made.append(" ".join(sentences[at : at + taken]))
        at += taken
    return [text for text, length in zip(made, lengths(made), strict=True) if length <= limit][:count]


def timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """What `work` returns, seconds by the wall clock and by the processor."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, time.perf_counter() - wall, time.process_time() - cpu


def measure(model: Path, texts: list[str], runtime: Runtime, turns: int) -> dict[str, Any]:
    """Both encoders on `texts`, the better of some turns each."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling

    ours = load_encoder(model, runtime)
    place = runtime.devices(torch)[0]
    if (model / "modules.json").is_file():
        theirs = SentenceTransformer(str(model), device=place)
    else:
        transformer = Transformer(str(model))
        theirs = SentenceTransformer(
            modules=[transformer, Pooling(transformer.get_embedding_dimension(), "mean")], device=place
        )
    if place.startswith("cuda"):
        # Plain use of a GPU is in the precision the weights have; half of it is what anybody would try first.
        theirs = theirs.to(runtime.dtype(torch, place))
    ours.encode_passages(texts[:8])
    theirs.encode(texts[:8])
    best: dict[str, tuple[float, float]] = {}
    for _ in range(turns):
        expected, *seconds = timed(lambda: theirs.encode(texts, normalize_embeddings=True, show_progress_bar=False))
        best["theirs"] = min(best.get("theirs", (9e9, 9e9)), tuple(seconds), key=lambda s: s[1])
        found, *seconds = timed(lambda: ours.encode_passages(texts))
        best["ours"] = min(best.get("ours", (9e9, 9e9)), tuple(seconds), key=lambda s: s[1])
    tokens = sum(len(ids) for ids in theirs.tokenizer(texts)["input_ids"])
    return {
        "device": place,
        "precision": runtime.precision,
        "batch_tokens": runtime.budget(place),
        "texts": len(texts),
        "tokens": tokens,
        "seconds": {name: [round(value, 2) for value in pair] for name, pair in best.items()},
        "tokens_per_second": round(tokens / best["ours"][0]),
        "ratio": round(best["theirs"][0] / best["ours"][0], 2),
        "ratio_cpu": round(best["theirs"][1] / best["ours"][1], 2),
        "cosine": round(float(np.einsum("nd,nd->n", found.vectors, expected).min()), 5),
    }


def main() -> None:
    """Measure and append a row for each precision."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="fp32,bf16,int8", help="those to measure")
    parser.add_argument("--batch-tokens", default="0", help="of our batches, those to measure; 0 for the default")
    parser.add_argument("--texts", type=int, default=400)
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--output", type=Path, default=ROOT / "eval/results/encode.jsonl")
    arguments = parser.parse_args()
    from transformers import AutoTokenizer

    with tempfile.TemporaryDirectory() as scratch:
        pool = sentences(arguments.data, max(50, arguments.texts // 4))
        model = arguments.model or small_model(Path(scratch) / "small-xlmr", pool)
        tokenizer = AutoTokenizer.from_pretrained(model)
        texts = skewed(pool, arguments.texts, lambda t: [len(i) for i in tokenizer(t)["input_ids"]], POSITIONS - 2)
        commit = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
        ).stdout.strip()
        settings = product(arguments.precision.split(","), map(int, arguments.batch_tokens.split(",")))
        for precision, tokens in settings:
            row = {
                "bench": "encode",
                "commit": commit,
                "command": " ".join(["python", *sys.argv]),
                "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores",
                "load": round(os.getloadavg()[0], 1),
                "model": model.name,
                **measure(model, texts, Runtime(arguments.device, precision, tokens), arguments.turns),
            }
            print(json.dumps(row))
            with arguments.output.open("a", encoding="utf-8") as out:
                out.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
