"""Recipes as files: TOML, read into the structure that describes them, and refused where their values cannot be."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from xsearch.core import BadInput
from xsearch.core.data import data_path

Recipe = TypeVar("Recipe", bound=msgspec.Struct)


def recipe_path(given: Path) -> Path:
    """A file, or, for a name without suffix that is none, that of a recipe that ships."""
    return given if given.suffix or given.exists() else data_path("encoders/recipes") / f"{given.name}.toml"


def read_recipe(given: Path, kind: type[Recipe]) -> Recipe:
    """The recipe in a TOML file, or of a name in `encoders/recipes`. Raises `BadInput` for unknown keys and wrong
    types, and where there is no such file."""
    path = recipe_path(given)
    try:
        return msgspec.toml.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        known = ", ".join(_shipped(kind))
        raise BadInput(
            f"no such recipe: give a file (.toml), or a name of those that ship: {known}", str(path)
        ) from None
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}", str(path)) from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadInput(str(error), str(path)) from error


def _shipped(kind: type[msgspec.Struct]) -> list[str]:
    """The names of the recipes of a kind that ship."""
    found = []
    for path in sorted(data_path("encoders/recipes").glob("*.toml")):
        with contextlib.suppress(msgspec.MsgspecError):
            msgspec.toml.decode(path.read_bytes(), type=kind)
            found.append(path.stem)
    return found


def refuse(problems: Mapping[str, bool], path: Path) -> None:
    """Raise `BadInput` for the first problem that is there. path: of the recipe, or its name."""
    for problem, present in problems.items():
        if present:
            raise BadInput(problem, str(recipe_path(path)))
