"""MKQA (Longpre, Lu and Daiber, TACL 2021): JSON lines, one question in 26 languages each.

It has no documents and no judgments; its answers are read by `xsearch.corpora.formats.answers`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from xsearch.core import Topic
from xsearch.corpora.formats.lines import byte_lines

_CODES = {"zh_cn": "zh", "zh_hk": "zh-Hant-HK", "zh_tw": "zh-Hant"}


def topics(path: Path, lang: str | None) -> Iterator[Topic]:
    """Every wording of every question, or those in `lang`; ids are ``example_id``."""
    for number, line in byte_lines(path):
        record = json.loads(line)
        for code, text in {"en": record["query"], **record.get("queries", {})}.items():
            spoken = _CODES.get(code, code)
            if lang in (None, spoken):
                yield Topic(str(record.get("example_id", number)), text.strip(), spoken)
