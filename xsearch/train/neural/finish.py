"""A trained network as a folder that sentence-transformers and xsearch load, with its card."""

from __future__ import annotations

import string
import tempfile
from pathlib import Path
from typing import Any

from xsearch.core.extras import need
from xsearch.encode import EncoderCard, SourceNote, write_card
from xsearch.encode.card import Prefixes
from xsearch.encode.neural.build import quiet
from xsearch.encode.neural.packed import pack
from xsearch.train.neural.folders import replacing
from xsearch.train.neural.recipe import NeuralRecipe
from xsearch.train.neural.tuning import finish


def write_encoder(
    student: Any,
    recipe: NeuralRecipe,
    out: Path,
    sources: tuple[SourceNote, ...],
    languages: dict[str, float],
    scores: dict[str, float],
) -> EncoderCard:
    """Write `out/NAME/`, the model, and `out/NAME.toml`, its card; what stood there is replaced. Returns the card."""
    settings = student.settings
    with replacing(out / recipe.name) as folder:
        save_model(student, folder)
        if settings.int8:
            pack(folder)
    sparse = settings.kind == "sparse"
    dim = int(student.config.vocab_size) if sparse else student.dim
    cuts = {cut for stage in recipe.stages for task in stage.objectives for cut in getattr(task, "cuts", ())}
    card = EncoderCard(
        name=recipe.name,
        kind=settings.kind,
        dim=dim,
        licence=recipe.licence or "not stated",
        description=recipe.description,
        model=recipe.name,
        query_length=settings.query_length,
        max_length=min(settings.passage_length, student.limit),
        matryoshka=tuple(sorted(cut for cut in cuts if cut < dim)),
        prefixes=Prefixes(settings.query, settings.passage),
        languages=languages,
        scores=scores,
        recipe=recipe.name,
        sources=sources,
    )
    write_card(card, out / f"{recipe.name}.toml")
    return card


def save_model(student: Any, folder: Path) -> None:
    """Write the model as sentence-transformers does: SentenceTransformer, MultiVectorEncoder or SparseEncoder."""
    library = need("sentence_transformers", "neural", "training an encoder")
    transformers = need("transformers", "neural", "training an encoder")
    from sentence_transformers.base.modules import Normalize, Transformer

    settings = student.settings
    prompts = {"query": settings.query, "document": settings.passage}
    network = finish(student.transformer)
    with tempfile.TemporaryDirectory() as scratch, quiet(transformers):
        (network if settings.kind == "sparse" else network.base_model).save_pretrained(scratch)
        student.tokenizer.save_pretrained(scratch)
        length = {"max_seq_length": min(settings.passage_length, student.limit)}
        if settings.kind == "sparse":
            from sentence_transformers.sparse_encoder.modules import SpladePooling

            first = Transformer(scratch, transformer_task="fill-mask", **length)
            model = library.SparseEncoder(modules=[first, SpladePooling("max")], prompts=prompts, device="cpu")
        elif settings.kind == "multivector":
            from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask

            modules = [Transformer(scratch, **length), _projection(student, "token_embeddings")]
            modules += [MultiVectorMask(skiplist_words=list(string.punctuation))]
            model = library.MultiVectorEncoder(modules=modules, prompts=prompts, device="cpu")
        else:
            from sentence_transformers.sentence_transformer.modules import Pooling

            modules = [Transformer(scratch, **length), Pooling(int(student.config.hidden_size), settings.pooling)]
            modules += [_projection(student, "sentence_embedding")] if student.projection is not None else []
            model = library.SentenceTransformer(modules=[*modules, Normalize()], prompts=prompts, device="cpu")
        model.save(str(folder), create_model_card=False)


def _projection(student: Any, name: str) -> Any:
    """The student's projection as a module of sentence-transformers."""
    from sentence_transformers.base.modules import Dense

    weight = student.projection.weight.detach().float().cpu()
    out, width = weight.shape
    return Dense(width, out, bias=False, activation_function=None, init_weight=weight, module_input_name=name)
