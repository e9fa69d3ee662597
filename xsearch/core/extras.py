"""Optional packages: imported where they are used, with the exact install line when they are absent."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from types import ModuleType

from xsearch.core.errors import MissingExtra

DISTRIBUTION = "xsearch-clir"
FAISS_DISTRIBUTIONS = ("faiss-cpu", "faiss-gpu", "faiss-gpu-cu12", "faiss-gpu-cuvs")


def install_line(extra: str) -> str:
    """The command that installs an extra, e.g. ``pip install 'xsearch-clir[dense]'``."""
    return f"pip install '{DISTRIBUTION}[{extra}]'"


def have(module: str) -> bool:
    """Whether `module` could be imported; nothing is imported to find out."""
    return find_spec(module) is not None


def need(module: str, extra: str, purpose: str) -> ModuleType:
    """Import an optional `module`, or raise `MissingExtra` that says what for and how to get it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        if error.name and error.name.split(".")[0] != module.split(".")[0]:
            raise
        raise MissingExtra(f"{purpose} needs the package '{module}': {install_line(extra)}", name=module) from error


def installed_faiss() -> list[str]:
    """The FAISS distributions present. More than one break each other: they share the folder `faiss/`."""
    from importlib import metadata

    found = []
    for name in FAISS_DISTRIBUTIONS:
        try:
            metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        found.append(name)
    return found


def need_faiss() -> ModuleType:
    """Import faiss, refusing an environment in which two builds overwrite each other."""
    builds = installed_faiss()
    if len(builds) > 1:
        raise MissingExtra(
            f"{len(builds)} FAISS builds are installed ({', '.join(builds)}) and break each other: "
            f"pip uninstall -y {' '.join(builds)} && {install_line('dense')}",
            name="faiss",
        )
    return need("faiss", "dense", "vector search with FAISS")
