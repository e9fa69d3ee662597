"""A folder of language modules, one a language, and the nearest relative of a language that has none."""

from __future__ import annotations

from pathlib import Path

from xsearch.core import BadInput
from xsearch.encode.neural.languages import nearest
from xsearch.encode.neural.modules.card import Module, ModuleCard, read_module, read_module_card


class LanguageModules:
    """The language modules in a folder; weights are read when a language is first asked for.

    folder: cards (``.toml``) with their weights beside them; None for no modules at all. base: the fingerprint that
    they must belong to. Raises `BadInput` for a module of another base, for two of one language, for an empty folder.
    """

    def __init__(self, folder: Path | None, base: str) -> None:
        self._cards: dict[str, tuple[Path, ModuleCard]] = {}
        self._read: dict[str, Module] = {}
        for path in sorted(folder.glob("*.toml")) if folder else ():
            card = read_module_card(path)
            if card.role != "language":
                continue
            check_base(card, base, path)
            if card.lang in self._cards:
                raise BadInput(f"a second module for '{card.lang}' beside {self._cards[card.lang][0].name}", str(path))
            self._cards[card.lang] = path, card
        if folder and not self._cards:
            raise BadInput("no language modules (NAME.toml with NAME.safetensors) in this folder", str(folder))

    @property
    def languages(self) -> tuple[str, ...]:
        """Those that have a module."""
        return tuple(self._cards)

    def language(self, lang: str) -> str | None:
        """Whose module reads a language: its own, its language's where ``xx-Script`` has none of its own, the nearest
        relative's; None where no module is related to it."""
        for code in (lang, lang.partition("-")[0]):
            if code in self._cards:
                return code
        return nearest(lang, self.languages)

    def module(self, lang: str) -> Module:
        """The module of a language in `languages`."""
        if lang not in self._read:
            self._read[lang] = read_module(self._cards[lang][0])
        return self._read[lang]


def check_base(card: ModuleCard, base: str, where: Path) -> None:
    """Raise `BadInput` for a module that was learnt on another base than the one with this fingerprint."""
    if card.base != base:
        raise BadInput(
            f"module '{card.name}' was learnt on another base ({card.base_name or 'unnamed'}, {card.base[:8]}…, not "
            f"{base[:8]}…): give that base, or train the module on this one",
            str(where),
        )
