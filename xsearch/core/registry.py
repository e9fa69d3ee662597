"""Registries: a plain table from a name to the place of a factory, resolved on use, open to entry points."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from typing import Any

from xsearch.core.errors import UsageError


def resolve(kind: str, name: str, known: Mapping[str, str]) -> Any:
    """The object registered as `name`, from `known` (name → ``module:attribute``) or the entry-point group
    ``xsearch.<kind>s``. Raises `UsageError` that lists the known names."""
    place = known.get(name)
    if place is not None:
        module, _, attribute = place.partition(":")
        return getattr(importlib.import_module(module), attribute)
    # What reads the metadata of packages is a hundredth of a query's time, and seldom needed.
    from importlib.metadata import entry_points

    for point in entry_points(group=f"xsearch.{kind}s"):
        if point.name == name:
            return point.load()
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    raise UsageError(f"unknown {kind} '{name}': known are {', '.join(sorted(known))}{hint}")
