"""Questions by a sequence-to-sequence model of transformers: mT5 and its kin, asked with a language's name.

What a model was fine-tuned with is in `xsearch-qgen.json` in its folder (`QuestionSettings`). Without that file the
settings are those of xQG (Zhuang et al. 2023, arXiv 2305.03950, and its code): one prompt that names the language,
questions of at most 64 tokens that are sampled, not searched for.
"""

from __future__ import annotations

import hashlib
import string
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from xsearch import lang as languages
from xsearch.core import BadInput, MissingExtra
from xsearch.core.extras import need
from xsearch.encode import Runtime
from xsearch.encode.neural.batches import Budget
from xsearch.encode.neural.build import quiet
from xsearch.encode.neural.checkpoint import Checkpoint, brief, locate
from xsearch.encode.neural.fingerprint import fingerprint
from xsearch.encode.neural.tokens import check_vocabulary
from xsearch.generate.protocol import Made, SourcePassage

PURPOSE = "a generator of questions"
SETTINGS_FILE = "xsearch-qgen.json"
FIELDS = {"lang", "title", "passage"}
CPU_TOKENS = 4096
"""Of a batch on a CPU: to write a token of many questions takes little longer than of few."""


class QuestionSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a model is asked. prompt: with {lang}, a language's English name, {title} and {passage}. passage_tokens: of
    the prompt, what is longer is cut at its end. question_tokens: at most so many are written. temperature, top_k,
    top_p: of the sampling; top_k 0 takes every token, which with top_p 1 is sampling from the model itself. languages:
    it was trained to ask in, () where that is not known.
    """

    prompt: str = "Generate a {lang} question for this passage: {title} {passage}"
    passage_tokens: int = 512
    question_tokens: int = 64
    temperature: float = 1.0
    top_k: int = 50
    top_p: float = 1.0
    languages: tuple[str, ...] = ()

    def fill(self, passage: SourcePassage, lang: str) -> str:
        """The prompt for a passage. What a text holds is never read as a field."""
        values = {"lang": languages.language_name(lang), "title": passage.title, "passage": passage.text}
        filled = "".join(
            literal + (values[field] if field else "") for literal, field, _, _ in string.Formatter().parse(self.prompt)
        )
        return " ".join(filled.split())


class ModelGenerator:
    """Makes questions by a model. Not for several threads at once."""

    batch = 32
    is_running_text = True

    def __init__(
        self, checkpoint: Checkpoint, settings: QuestionSettings, model: Any, tokenizer: Any, runtime: Runtime
    ) -> None:
        self.name = checkpoint.folder.name
        self.fingerprint = fingerprint(checkpoint.folder, {})
        self._settings, self._model, self._tokenizer = settings, model, tokenizer
        device, torch = model.device.type, need("torch", "neural", PURPOSE)
        self._budget = Budget(runtime.budget(device, CPU_TOKENS), device, torch)

    @property
    def network(self) -> tuple[Any, Any]:
        """The model, a module of torch, and its tokenizer: what training goes on from."""
        return self._model, self._tokenizer

    def settings(self) -> dict[str, Any]:
        """How the model is asked."""
        asked: dict[str, Any] = msgspec.to_builtins(self._settings)
        return asked

    def speaks(self, lang: str) -> bool:
        """Whether the model was trained to ask in a language, as far as that is known."""
        known = self._settings.languages
        return not known or any(languages.same_language(lang, own) for own in known)

    def generate(self, passages: Sequence[SourcePassage], lang: str, count: int, seed: int) -> list[list[Made]]:
        """Sampled questions, `count` of each passage. What is drawn depends on the seed, the language and the passages
        of a batch, which hold passages of like length: as many as fit the device with their questions. A batch for
        which memory does not suffice is halved, and so are all later ones. Raises `BadInput` when not even the
        questions of one passage fit."""
        prompts = [self._settings.fill(passage, lang) for passage in passages]
        encoded = self._tokenizer(prompts, truncation=True, max_length=self._settings.passage_tokens)["input_ids"]
        lengths = np.array([(len(ids) + self._settings.question_tokens) * count for ids in encoded], dtype=np.int64)
        made: list[list[Made]] = [[] for _ in passages]
        pending = self._budget.batches(lengths)
        while pending:
            rows = pending.pop()
            try:
                texts = self._sample(
                    [encoded[row] for row in rows], count, _mixed(seed, lang, passages[rows[0]].number)
                )
            except Exception as error:
                pending = self._budget.halve(error, rows, pending, lengths)
                continue
            for place, row in enumerate(rows.tolist()):
                made[row] = [Made(text.strip()) for text in texts[place * count : (place + 1) * count]]
        return made

    def _sample(self, sequences: list[Sequence[int]], count: int, seed: int) -> list[str]:
        torch, settings = need("torch", "neural", PURPOSE), self._settings
        padded = self._tokenizer.pad({"input_ids": sequences}, return_tensors="pt").to(self._model.device)
        devices = [self._model.device] if self._model.device.type == "cuda" else []
        with torch.random.fork_rng(devices), torch.inference_mode():
            torch.manual_seed(seed)
            written = self._model.generate(
                input_ids=padded["input_ids"],
                attention_mask=padded["attention_mask"],
                do_sample=True,
                num_return_sequences=count,
                max_new_tokens=settings.question_tokens,
                temperature=settings.temperature,
                top_k=settings.top_k,
                top_p=settings.top_p,
            )
        texts: list[str] = self._tokenizer.batch_decode(written, skip_special_tokens=True)
        return texts


def load_model_generator(name: str | Path, runtime: Runtime | None = None) -> ModelGenerator:
    """The generator in a folder, or of a name on the hub.

    Raises `BadInput` for a model that does not write, or is damaged; `UsageError` for what is no model, or could run
    code when loaded; `MissingExtra` where the model or torch is not there.
    """
    runtime = runtime or Runtime()
    torch = need("torch", "neural", PURPOSE)
    transformers = need("transformers", "neural", PURPOSE)
    device = runtime.devices(torch)[0]
    checkpoint = locate(name, trusted=runtime.trust is not None)
    writes = [made for made in checkpoint.architectures if made.endswith("ForConditionalGeneration")]
    if not writes:
        made = ", ".join(checkpoint.architectures) or checkpoint.config["model_type"]
        raise BadInput(f"{checkpoint.folder} ({made}) is no generator of questions: that is an mT5 or a model like it")
    trusted = checkpoint.check_trust(runtime.trust)
    settings = read_settings(checkpoint.folder)
    inside = {"trust_remote_code": trusted and checkpoint.needs_code, "local_files_only": True}
    weights = {"dtype": runtime.dtype(torch, device), **({} if trusted else {"use_safetensors": True})}
    place = str(checkpoint.folder)
    try:
        with quiet(transformers):
            tokenizer = transformers.AutoTokenizer.from_pretrained(place, **inside)
            model = transformers.AutoModelForSeq2SeqLM.from_pretrained(place, **weights, **inside)
    except MemoryError:
        raise
    except ImportError as error:
        raise MissingExtra(f"{place} needs another package: {brief(error)}") from error
    except Exception as error:
        # Whatever a damaged or foreign checkpoint makes the library raise, the folder is what the user can change.
        raise BadInput(f"{place} cannot be loaded as a generator: {brief(error)}") from error
    check_vocabulary(tokenizer, checkpoint.folder)
    return ModelGenerator(checkpoint, settings, model.to(device).eval(), tokenizer, runtime)


def read_settings(folder: Path) -> QuestionSettings:
    """How a model wants to be asked. Raises `BadInput` for a file that says it wrongly."""
    path = folder / SETTINGS_FILE
    if not path.is_file():
        return QuestionSettings()
    try:
        settings = msgspec.json.decode(path.read_bytes(), type=QuestionSettings)
        fields = {field for _, field, _, _ in string.Formatter().parse(settings.prompt) if field is not None}
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        raise BadInput(f"cannot be read: {error}", str(path)) from error
    if not {"lang", "passage"} <= fields <= FIELDS:
        raise BadInput("the prompt needs {lang} and {passage}, may have {title}, and knows nothing else", str(path))
    if settings.question_tokens < 1 or settings.passage_tokens < 1 or settings.temperature <= 0:
        raise BadInput("passage_tokens and question_tokens are 1 or more, temperature is above 0", str(path))
    return settings


def _mixed(seed: int, lang: str, passage: int) -> int:
    """A seed of 63 bits for a batch."""
    return int.from_bytes(hashlib.blake2b(f"{seed} {lang} {passage}".encode(), digest_size=8).digest(), "little") >> 1
