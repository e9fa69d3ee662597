"""Texts and pairs to train rerankers from, and plans of a few steps."""

from __future__ import annotations

import json
from pathlib import Path

import tiny_models as tiny

from xsearch.encode import Runtime
from xsearch.train.neural.modules.plan import Plan

CPU = Runtime("cpu", "fp32")
QUICK = {"steps": 12, "full_steps": 6, "batch": 4, "length": 32, "learning_rate": 3e-3, "entries": 300, "negatives": 2}


def plan(kind: str, lang: str = "de", **changes) -> Plan:
    return Plan(kind=kind, lang=lang, **(QUICK | changes))


def write_files(folder: Path) -> Path:
    """Text in German as ``de.txt``, pairs of three subjects as ``pairs.jsonl``."""
    (folder / "de.txt").write_text("\n".join(f"{tiny.TEXTS[1]} {n}\n{tiny.TEXTS[7]} {n}" for n in range(20)))
    lines = [
        {"query": f"{word} {n}", "positive": text, "negatives": [tiny.TEXTS[4]]}
        for n in range(8)
        for word, text in (("river town", tiny.TEXTS[0]), ("prices of bread", tiny.TEXTS[7]), ("short", tiny.TEXTS[6]))
    ]
    (folder / "pairs.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    return folder
