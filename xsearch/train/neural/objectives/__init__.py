"""What is made smaller in training: one objective a file, functions of tensors, each with its paper and equation.

Vectors are float tensors of length 1 along their last dimension; masks are bool, True for what counts; a loss is a
scalar.
"""

from xsearch.train.neural.objectives.bilingual import hidden_states
from xsearch.train.neural.objectives.comparable import comparable
from xsearch.train.neural.objectives.continuous import continuously_weighted
from xsearch.train.neural.objectives.distillation import distillation
from xsearch.train.neural.objectives.gradient_cache import chunked
from xsearch.train.neural.objectives.late_interaction import max_sim
from xsearch.train.neural.objectives.masked import mask_tokens, masked_words
from xsearch.train.neural.objectives.momentum import Momentum, contrast_with_queue
from xsearch.train.neural.objectives.nested import matryoshka
from xsearch.train.neural.objectives.one_to_k import one_to_k
from xsearch.train.neural.objectives.representation import Translator, representation_translation
from xsearch.train.neural.objectives.softmax import in_batch_softmax
from xsearch.train.neural.objectives.sparse import flops, word_weights
from xsearch.train.neural.objectives.translation import translation_ranking
from xsearch.train.neural.objectives.word_alignment import Pointer, pointed, self_labels

__all__ = [
    "Momentum",
    "Pointer",
    "Translator",
    "chunked",
    "comparable",
    "continuously_weighted",
    "contrast_with_queue",
    "distillation",
    "flops",
    "hidden_states",
    "in_batch_softmax",
    "mask_tokens",
    "masked_words",
    "matryoshka",
    "max_sim",
    "one_to_k",
    "pointed",
    "representation_translation",
    "self_labels",
    "translation_ranking",
    "word_weights",
]
