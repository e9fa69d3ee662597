"""Stacks of modules on a base transformer, put on and taken off without touching the base's weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from xsearch.core import BadInput
from xsearch.encode.neural.modules.bottleneck import Part, bottleneck, coupling, inside
from xsearch.encode.neural.modules.card import HEAD, AdapterSettings, Module
from xsearch.encode.neural.modules.merged import Change, Sparse, changes
from xsearch.encode.neural.modules.routing import Routing

Stack = Sequence[Module]
"""Modules in the order in which they apply: the language's first, the ranking's on top."""
EMBEDDINGS = "embeddings"


class Composition:
    """A base and the modules on it.

    body: a transformer of transformers without head whose layers are built as BERT's (BERT, RoBERTa, XLM-R, DeBERTa,
    CamemBERT, ELECTRA …). What modules do replaces the `forward` of single layers, so that a composition taken off
    leaves the base's output as it was, bit for bit. Not safe to share between threads.
    Raises `BadInput` for a body that is built otherwise.
    """

    def __init__(self, body: Any, torch: Any) -> None:
        self.body, self._torch = body, torch
        self._functional = torch.nn.functional
        self._routing = Routing()
        self._undo: list[Callable[[], None]] = []
        self._stacks: tuple[tuple[Module, ...], ...] = ()
        self._layers = dict(body.named_modules())
        self._blocks = blocks(body)

    def compose(self, stacks: Sequence[Stack], invertible: bool = True) -> None:
        """Put stacks on the base instead of those that are there; `route` says which token goes through which, and
        until it does all go through the first. invertible: whether the couplings at the embeddings take part."""
        self.remove()
        self._stacks = tuple(tuple(stack) for stack in stacks)
        self._put_changes()
        self._put_bottlenecks()
        if invertible and any(_coupled(module) for stack in self._stacks for module in stack):
            through = self._couplings(inverse=False)
            hook = self.body.embeddings.register_forward_hook(lambda _, given, made: through(made))
            self._undo.append(hook.remove)

    def invert_before(self, decoder: Any) -> None:
        """Undo the couplings before `decoder`, the layer that predicts words, as MAD-X trains them."""
        through = self._couplings(inverse=True)
        hook = decoder.register_forward_pre_hook(lambda _, given: (through(given[0]), *given[1:]))
        self._undo.append(hook.remove)

    def route(self, slots: Any) -> None:
        """slots: int64 tensor (texts, tokens) for the batches that follow: the number of the stack that reads each
        token; None: the first reads all."""
        self._routing.set(slots)

    def remove(self) -> None:
        """Take everything off."""
        while self._undo:
            self._undo.pop()()
        self._stacks = ()
        self._routing.set(None)

    def check(self, module: Module) -> None:
        """Raise `BadInput` for a module one of whose tensors has no place in the base, or another size there."""
        name = module.card.name
        if module.card.kind == "adapter":
            self._check_adapter(module)
            return
        for place, change in changes(module).items():
            layer = self._layers.get(place)
            kinds = (self._torch.nn.Linear, *((self._torch.nn.Embedding,) if isinstance(change, Sparse) else ()))
            if not isinstance(layer, kinds) or not change.fits(layer):
                raise BadInput(f"module '{name}' changes {place}, which this base has not, or in another size")

    def _check_adapter(self, module: Module) -> None:
        width = self.body.config.hidden_size
        places = dict.fromkeys(key.partition(".down.")[0].partition(".up.")[0] for key in _behind_blocks(module))
        for place in places:
            tensors = inside(module.tensors, place)
            shapes = {part: tuple(tensor.shape) for part, tensor in tensors.items()}
            inner = shapes.get("down.bias", (0,))[0]
            if place not in self._blocks or shapes != _shapes(inner, width):
                raise BadInput(f"module '{module.card.name}' has {shapes} at {place}, where this base takes none such")

    def _put_changes(self) -> None:
        found = [[changes(module) for module in stack if module.card.kind != "adapter"] for stack in self._stacks]
        for name in dict.fromkeys(place for stack in found for module in stack for place in module):
            layer = self._layers[name]
            read = self._linear if isinstance(layer, self._torch.nn.Linear) else self._table
            functions = [partial(read, layer, [module[name] for module in stack if name in module]) for stack in found]
            self._replace(layer, partial(self._routing.apply, functions))

    def _linear(self, layer: Any, applied: Sequence[Change], values: Any) -> Any:
        weight, bias = layer.weight, layer.bias
        for change in applied:
            weight, bias = change.apply(weight, bias)
        return self._functional.linear(values, weight, bias)

    def _table(self, layer: Any, applied: Sequence[Change], numbers: Any) -> Any:
        rows, place = numbers.unique(return_inverse=True)
        table = self._functional.embedding(rows, layer.weight)
        for change in applied:
            if isinstance(change, Sparse):
                table = change.rows(rows, table)
        return self._functional.embedding(place, table)

    def _put_bottlenecks(self) -> None:
        for place, block in self._blocks.items():
            parts = [self._parts(stack, place, block.LayerNorm) for stack in self._stacks]
            if any(parts):
                functions = [partial(_in_turn, stack) for stack in parts]
                self._replace(block, partial(self._block, block, functions))

    def _block(self, block: Any, functions: Sequence[Part], hidden_states: Any, input_tensor: Any) -> Any:
        made = block.dropout(block.dense(hidden_states))
        return block.LayerNorm(self._routing.apply(functions, made, input_tensor) + input_tensor)

    def _parts(self, stack: Stack, place: str, norm: Any) -> list[Part]:
        parts = []
        for module in stack:
            settings, tensors = module.card.read_settings(), inside(module.tensors, place)
            if isinstance(settings, AdapterSettings) and tensors:
                parts.append(bottleneck(tensors, settings, norm, self._torch))
        return parts

    def _couplings(self, inverse: bool) -> Callable[[Any], Any]:
        functions = []
        for stack in self._stacks:
            found = []
            for module in filter(_coupled, stack):
                settings = module.card.read_settings()
                if isinstance(settings, AdapterSettings):
                    found.append(coupling(inside(module.tensors, EMBEDDINGS), settings, self._torch, inverse))
            functions.append(partial(_one_by_one, found[::-1] if inverse else found))
        return partial(self._routing.apply, functions)

    def _replace(self, layer: Any, forward: Callable[..., Any]) -> None:
        layer.forward = forward
        self._undo.append(partial(layer.__delattr__, "forward"))


def blocks(body: Any) -> dict[str, Any]:
    """Name → the modules of a body that add a block's output to its input and normalise the sum: of every layer the
    attention's and the feed-forward block's. Raises `BadInput` for a body whose layers are built otherwise."""
    kind = getattr(body.config, "model_type", type(body).__name__)
    layers = getattr(getattr(body, "encoder", None), "layer", None)
    found = {}
    for number, layer in enumerate(layers or ()):
        for name, owner in (("attention.output", getattr(layer, "attention", None)), ("output", layer)):
            block = getattr(owner, "output", None)
            if all(hasattr(block, part) for part in ("dense", "dropout", "LayerNorm")):
                found[f"encoder.layer.{number}.{name}"] = block
    # X-MOD has adapters of its own between a block and its normalisation.
    if not layers or len(found) < 2 * len(layers) or kind == "xmod":
        raise BadInput(f"a base of the kind '{kind}' takes no modules: its layers are not built as BERT's")
    return found


def _behind_blocks(module: Module) -> list[str]:
    """The names of an adapter's tensors behind blocks: neither the head's nor the coupling's."""
    return [name for name in module.tensors if name not in HEAD and not name.startswith(f"{EMBEDDINGS}.")]


def _shapes(inner: int, width: int) -> dict[str, tuple[int, ...]]:
    """The tensors of a bottleneck of `inner` numbers on a base of `width`, by name."""
    return {"down.weight": (inner, width), "down.bias": (inner,), "up.weight": (width, inner), "up.bias": (width,)}


def _coupled(module: Module) -> bool:
    return f"{EMBEDDINGS}.F.0.weight" in module.tensors


def _in_turn(parts: Sequence[Part], hidden: Any, residual: Any) -> Any:
    for part in parts:
        hidden = part(hidden, residual)
    return hidden


def _one_by_one(functions: Sequence[Callable[[Any], Any]], values: Any) -> Any:
    for function in functions:
        values = function(values)
    return values
