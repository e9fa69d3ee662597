"""Topics in the forms the field hands them out: JSON lines, HC4/NeuCLIR, TSV, CLEF and TREC markup."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from xsearch.core import BadInput, Topic
from xsearch.corpora.formats.lines import Faults, Note, byte_lines
from xsearch.corpora.formats.topics_markup import markup_topics

TopicField = Literal["title", "desc", "title+desc"]
TopicSource = Literal["human", "machine"]

Found = tuple[int, Topic]
"""A topic and the line it starts at."""

ISO_639_3 = {
    "eng": "en", "fas": "fa", "hau": "ha", "kor": "ko", "rus": "ru", "som": "so", "swa": "sw", "yor": "yo", "zho": "zh",
}  # fmt: skip
"""Three-letter codes that HC4, NeuCLIR and CIRAL write, as the codes used here."""

_IDS = ("id", "topic_id", "query_id", "qid", "_id", "example_id")
_TEXTS = ("text", "query", "question", "title")
_LABELS = {"title": "title", "desc": "description"}
_LABEL = re.compile(r"\s*(query_id|title|description)\s*:", re.I)


def read_topics(
    path: str | Path,
    lang: str | None = None,
    *,
    field: TopicField = "title",
    source: TopicSource = "human",
    on_bad: Note | None = None,
) -> list[Topic]:
    """The topics of a file, plain or .gz, .xz, .zst, in the file's order. The form is seen from the first character:

    - ``{``: JSON lines, ``{"id", "lang", "text"}`` (also ``query_id``/``_id`` and ``query``/``question``), or HC4's
      and NeuCLIR's form, one object a topic with its wordings in several languages;
    - ``<``: CLEF and TREC markup, ``<top><num>…<title>…``, tags open or closed, with or without the language in front
      (``<DE-title>``), and CLEF's later XML, ``<topic lang="de"><identifier>…``; UTF-8, a declared encoding, or
      ISO-8859-1;
    - ``query_id:``: labelled lines, ``query_id: C041``, ``title: …``, ``description: …``;
    - anything else: ``id⇥text``.

    lang: keep that language's wordings; in a file that names no languages, the language of all. field: what of a topic
    becomes its text where the form has a title and a description. source: HC4 has wordings by people and by machines;
    of several machines' the newest is taken, by the date its name begins with.

    A line that does not parse, a missing or empty id or text, an id twice in one language: each is a bad line. Without
    `on_bad` all are raised together as one `BadInput`; with it each is handed over and left out (of a repeated id the
    first wording stays). A file that has no topic at all, or none in `lang`, raises `BadInput`.
    """
    path = Path(path)
    lines = list(byte_lines(path))
    if not lines:
        raise BadInput("the file is empty; expected topics", where=str(path))
    faults = Faults(path, on_bad)
    first = lines[0][1].lstrip()[:1]
    if first == b"{":
        found = _json_topics(lines, field, source, faults)
    elif first == b"<":
        found = markup_topics(lines, field, faults, lang)
    elif lines[0][1].lstrip()[:9].lower() == b"query_id:":
        found = _labelled_topics(lines, field, faults)
    else:
        found = _tsv_topics(lines, faults)
    topics = _unique(found, lang, faults)
    faults.close()
    return _of_language(topics, lang, path)


def write_topics(path: str | Path, topics: Sequence[Topic]) -> None:
    """Write topics as JSON lines, or as ``id⇥text`` where the path ends in .tsv.

    Raises `BadInput` for what a TSV file cannot hold: topics in several languages, tabs and line ends.
    """
    path = Path(path)
    if path.suffix == ".tsv":
        if len({topic.lang for topic in topics}) > 1:
            raise BadInput("topics in several languages need JSON lines: id⇥text names no language", where=str(path))
        for topic in topics:
            if set(topic.id + topic.text) & set("\t\n\r"):
                raise BadInput(f"topic {topic.id!r} holds a tab or a line end", where=str(path))
        lines = [f"{topic.id}\t{topic.text}\n" for topic in topics]
    else:
        records = (
            {"id": t.id, "lang": t.lang, "text": t.text} if t.lang else {"id": t.id, "text": t.text} for t in topics
        )
        lines = [json.dumps(record, ensure_ascii=False) + "\n" for record in records]
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(lines)


def _unique(found: Iterator[Found], lang: str | None, faults: Faults) -> list[Topic]:
    topics: dict[tuple[str, str | None], Topic] = {}
    for number, topic in found:
        spoken = ISO_639_3.get(topic.lang, topic.lang) if topic.lang else lang
        topic = Topic(topic.id, topic.text, spoken)
        if not topic.id or not topic.text:
            faults.add(number, f"a topic without {'text' if topic.id else 'an id'}")
        elif topics.setdefault((topic.id, topic.lang), topic) is not topic:
            faults.add(number, f"topic {topic.id} occurs twice" + (f" in '{topic.lang}'" if topic.lang else ""))
    return list(topics.values())


def _of_language(topics: list[Topic], lang: str | None, path: Path) -> list[Topic]:
    wanted = ISO_639_3.get(lang, lang) if lang else None
    kept = [topic for topic in topics if wanted is None or topic.lang in (wanted, lang)]
    if not kept:
        spoken = ", ".join(sorted({topic.lang or "und" for topic in topics}))
        why = f"no topic in '{lang}'; the file has {spoken}" if topics else "no topics in the file"
        raise BadInput(why, where=str(path))
    return kept


def _tsv_topics(lines: list[tuple[int, bytes]], faults: Faults) -> Iterator[Found]:
    for number, line in lines:
        try:
            name, tab, text = line.decode().partition("\t")
        except UnicodeDecodeError as error:
            faults.add(number, f"not UTF-8: {error.reason} at byte {error.start}")
            continue
        if not tab:
            faults.add(number, "no tab; expected 'id⇥text'")
            continue
        yield number, Topic(name.strip(), " ".join(text.split("\t")).strip())


def _labelled_topics(lines: list[tuple[int, bytes]], field: TopicField, faults: Faults) -> Iterator[Found]:
    """``query_id: C041``, ``title: …``, ``description: …``, each on a line of its own; a line without a label, or with
    the same one again, goes on with what is before it. So are CLEF's English topics in Bonab et al. (ICTIR 2019)."""
    start, parts, label = 0, dict[str, list[str]](), ""
    for number, line in [*lines, (0, b"query_id:")]:
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            faults.add(number, f"not UTF-8: {error.reason} at byte {error.start}")
            continue
        match = _LABEL.match(text)
        if match and match[1].lower() == "query_id" and parts:
            chosen = [" ".join(parts.get(_LABELS[name], [])) for name in field.split("+")]
            yield start, Topic(" ".join(parts["query_id"]), " ".join(part for part in chosen if part))
            parts = {}
        start = start if parts else number
        label = match[1].lower() if match else label
        parts.setdefault(label, []).append(text[match.end() if match else 0 :].strip())


def _json_topics(
    lines: list[tuple[int, bytes]], field: TopicField, source: TopicSource, faults: Faults
) -> Iterator[Found]:
    for number, line in lines:
        try:
            record = json.loads(line)
            if not isinstance(record, dict):
                raise ValueError("not a JSON object")
            topics = list(_hc4(record, field, source) if "topics" in record else _plain(record))
        except (ValueError, RecursionError) as error:
            faults.add(number, f"no topic: {error}")
            continue
        for topic in topics:
            yield number, topic


def _plain(record: dict[str, Any]) -> Iterator[Topic]:
    """``{"id": "d017", "lang": "de", "text": "…"}``; ids may be numbers."""
    lang = record.get("lang")
    if lang is not None and not isinstance(lang, str):
        raise ValueError(f"'lang' must be a string, not {lang!r}")
    yield Topic(topic_name(record), _string(record, *_TEXTS), lang or None)


def _hc4(record: dict[str, Any], field: TopicField, source: TopicSource) -> Iterator[Topic]:
    """``{"topic_id", "topics": [{"lang", "source", "topic_title", "topic_description"}]}``: one wording a language."""
    name = topic_name(record)
    wordings = record["topics"]
    if not isinstance(wordings, list) or not all(isinstance(wording, dict) for wording in wordings):
        raise ValueError("'topics' must be a list of objects")
    chosen: dict[str, dict[str, Any]] = {}
    for wording in sorted(wordings, key=lambda w: str(w.get("source", ""))):
        if _by_people(wording) == (source == "human") and _is_worded(wording):
            chosen[_string(wording, "lang")] = wording
    for lang in dict.fromkeys(str(wording.get("lang")) for wording in wordings):
        if lang not in chosen:
            continue
        wording = chosen[lang]
        parts = [_string(wording, f"topic_{part}") for part in _hc4_fields(field)]
        yield Topic(name, " ".join(parts), lang)


def _by_people(wording: dict[str, Any]) -> bool:
    made = str(wording.get("source", "original")).lower()
    return made == "original" or "human" in made


def _is_worded(wording: dict[str, Any]) -> bool:
    """HC4's training topics hold empty wordings where no translation was made."""
    return any(wording.get(key) for key in ("topic_title", "topic_description"))


def _hc4_fields(field: TopicField) -> list[str]:
    return [{"title": "title", "desc": "description"}[part] for part in field.split("+")]


def topic_name(record: dict[str, Any]) -> str:
    """The id in a JSON record, under the names the field has for it. Raises ValueError when there is none."""
    for key in _IDS:
        value = record.get(key)
        if isinstance(value, str | int) and not isinstance(value, bool):
            return str(value).strip()
    raise ValueError("no 'id'")


def _string(record: dict[str, Any], *keys: str) -> str:
    for key in keys:
        value = record.get(key)
        if isinstance(value, str):
            return value.strip()
    raise ValueError(f"no '{keys[0]}'")
