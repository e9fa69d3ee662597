"""The command line as people and scripts use it: every form of the design, in real processes."""

import json
import os
import re
import time

import pytest
from doubles.command_line import xsearch

from xsearch.core import Document, Topic
from xsearch.encode import StaticEncoder
from xsearch.engine import create_index, diagnose, open_index
from xsearch.engine.runs import part_settings, row_key
from xsearch.lang.translation import TranslationTables

DOCUMENTS = {
    "berlin.md": "# Die Elbe\n\nDie Elbe ist ein Fluss in Deutschland und Tschechien. Sie fließt durch Dresden.\n",
    "river.txt": "The Danube is a river that flows through ten countries and four capitals of Europe.\n",
    "records.jsonl": "\n".join(
        json.dumps(record, ensure_ascii=False)
        for record in (
            {"id": "fa1", "text": "رود دانوب دومین رود بلند اروپا است و از ده کشور می‌گذرد.", "year": 2021},
            {"id": "ru1", "text": "Дунай протекает через десять стран Европы.", "year": 1999, "title": "Дунай"},
            {"id": "ja1", "text": "ドナウ川はヨーロッパで二番目に長い川である。", "year": 2010},
        )
    ),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    (folder / "docs").mkdir()
    for name, text in DOCUMENTS.items():
        (folder / "docs" / name).write_text(text, encoding="utf-8")
    made = xsearch("index", "docs", cwd=folder)
    assert made.code == 0, made.err
    assert made.out == ""
    assert "5 documents from 3 files" in made.err
    return folder


def test_a_question_finds_documents_of_other_languages(home):
    found = xsearch("query", "the river Danube", "--format", "json", cwd=home)
    assert found.code == 0
    assert found.err == ""
    answer = json.loads(found.out)
    assert answer["query"]["lang"] == "en"
    hits = {hit["id"]: hit for hit in answer["hits"]}
    assert {"river.txt", "fa1", "ru1"} <= set(hits)
    assert [hit["rank"] for hit in answer["hits"]] == list(range(1, len(hits) + 1))
    for hit in answer["hits"]:
        assert set(hit) >= {"rank", "id", "lang", "score", "title", "snippet", "spans", "metadata"}
        assert "explain" not in hit
    assert hits["fa1"]["lang"] == "fa"
    assert hits["ru1"]["metadata"]["year"] == 1999
    assert hits["river.txt"]["metadata"]["file"] == "river.txt"


def test_options_of_a_query(home):
    few = json.loads(xsearch("query", "river", "-k", "2", "--format", "json", cwd=home).out)
    assert len(few["hits"]) == 2
    only = json.loads(xsearch("query", "river", "--to", "fa,Russian", "--format", "json", cwd=home).out)
    assert {hit["id"] for hit in only["hits"]} == {"fa1", "ru1"}
    filtered = xsearch("query", "river", "--filter", "year >= 2000 and year < 2020", "--format", "jsonl", cwd=home)
    assert [json.loads(line)["id"] for line in filtered.out.splitlines()] == ["ja1"]
    explained = json.loads(xsearch("query", "Donau Fluss", "--explain", "--format", "json", cwd=home).out)
    assert {part["retriever"] for part in explained["hits"][0]["explain"]} == {"bm25", "psq", "names", "dense"}
    alone = json.loads(xsearch("query", "Elbe", "--retrievers", "bm25", "--explain", "--format", "json", cwd=home).out)
    assert [part["retriever"] for part in alone["hits"][0]["explain"]] == ["bm25"]
    for method in ("fair", "rrf", "zscore", "minmax", "roundrobin"):
        assert xsearch("query", "river", "--fusion", method, cwd=home).code == 0
    line = xsearch("query", "river", "--format", "trec", "-k", "1", cwd=home).out
    assert re.fullmatch(r"q Q0 \S+ 1 \S+ xsearch\n", line)


def test_the_table_shows_hits_and_marks_nothing_into_a_pipe(home):
    found = xsearch("query", "Elbe", "--explain", cwd=home)
    assert found.code == 0
    assert "berlin.md" in found.out
    assert "bm25: rank 1" in found.out
    assert "\x1b" not in found.out


def test_a_question_from_stdin(home):
    assert xsearch("query", "-", cwd=home, stdin="Дунай".encode()).code == 0


def test_nothing_found_ends_with_1(home):
    nothing = xsearch("query", "qqqqqqqq", "--retrievers", "bm25", cwd=home)
    assert (nothing.code, nothing.out, nothing.err) == (1, "", "nothing found\n")


def test_topics_to_a_run_and_its_evaluation(home):
    topics = [
        {"id": "t1", "lang": "en", "text": "river Danube"},
        {"id": "t1", "lang": "de", "text": "der Fluss Donau"},
        {"id": "t2", "lang": "en", "text": "a river through Dresden"},
        {"id": "t2", "lang": "de", "text": "Fluss durch Dresden"},
    ]
    (home / "topics.jsonl").write_text("\n".join(map(json.dumps, topics)))
    (home / "qrels.txt").write_text("t1 0 fa1 1\nt1 0 ru1 1\nt2 0 berlin.md 2\n")
    done = xsearch("query", "--topics", "topics.jsonl", "--output", "run.txt", cwd=home)
    assert done.code == 0, done.err
    lines = [line.split() for line in (home / "run.txt").read_text().splitlines()]
    assert {line[0] for line in lines} == {"t1@en", "t1@de", "t2@en", "t2@de"}
    assert all(len(line) == 6 and line[1] == "Q0" for line in lines)
    scored = xsearch("evaluate", "run.txt", "--qrels", "qrels.txt", "-m", "nDCG@10", "-m", "R@100", "--by",
                     "query_lang", "--format", "json", cwd=home)  # fmt: skip
    figures = json.loads(scored.out)
    assert set(figures["measures"]) == {"nDCG@10", "R@100"}
    assert figures["measures"]["R@100"] == 1.0
    assert set(figures["by"]["query_lang"]) == {"en", "de"}
    one = xsearch("query", "--topics", "topics.jsonl", "--lang", "de", "--output", "de.txt", cwd=home)
    assert one.code == 0
    assert {line.split()[0] for line in (home / "de.txt").read_text().splitlines()} == {"t1", "t2"}
    compared = xsearch("compare", "run.txt", "run.txt", "--qrels", "qrels.txt", "-m", "nDCG@10", cwd=home)
    assert compared.code == 0
    (home / "base.json").write_text(json.dumps({"measures": {"nDCG@10": 1.5}, "by": {}}))
    worse = xsearch("evaluate", "run.txt", "--qrels", "qrels.txt", "-m", "nDCG@10", "--check", "base.json", cwd=home)
    assert worse.code == 1


def test_an_interrupted_run_goes_on_where_it_was(home):
    topics = home / "many.tsv"
    topics.write_text("".join(f"q{i}\triver {i}\n" for i in range(6)))
    assert xsearch("query", "--topics", "many.tsv", "--output", "whole.txt", cwd=home).code == 0
    whole = (home / "whole.txt").read_bytes()
    options = {"to": None, "filter": None, "retrievers": None, "fusion": None, "depth": None, "balance": False}
    line = part_settings(open_index(home / ".xsearch"), 1000, options)
    rows = [r.split() for r in whole.decode().splitlines() if r.startswith("q0 ")]
    done = json.dumps([row_key(Topic("q0", "river 0")), [[r[2], float(r[4])] for r in rows]])
    (home / "half.txt.part").write_text(f'{line}\n{done}\n["q1", [["river.t')
    resumed = xsearch("query", "--topics", "many.tsv", "--output", "half.txt", cwd=home)
    assert "1 of them done before" in resumed.err
    assert (home / "half.txt").read_bytes() == whole
    assert not (home / "half.txt.part").exists()


def test_indexing_again_skips_replaces_reports_and_prunes(tmp_path):
    docs = tmp_path / "docs"
    docs.mkdir()
    for name in "abc":
        (docs / f"{name}.txt").write_text(f"The letter {name} stands in a file of its own.")
    assert "3 documents" in xsearch("index", "docs", cwd=tmp_path).err
    assert "0 documents from 0 files" in (again := xsearch("index", "docs", cwd=tmp_path).err)
    assert "3 files unchanged" in again
    os.utime(docs / "a.txt", (1, 1))
    assert "3 files unchanged" in xsearch("index", "docs", cwd=tmp_path).err
    time.sleep(0.01)
    (docs / "a.txt").write_text("Now it speaks of zebras.")
    (docs / "b.txt").unlink()
    changed = xsearch("index", "docs", cwd=tmp_path).err
    assert "1 document from 1 file in" in changed
    assert "b.txt: gone; its documents stay" in changed
    assert json.loads(xsearch("query", "zebras", "--format", "json", cwd=tmp_path).out)["hits"][0]["id"] == "a.txt"
    pruned = xsearch("index", "docs", "--prune", cwd=tmp_path).err
    assert "1 document removed" in pruned
    assert "2 documents" in pruned


def test_records_that_left_their_file_leave_the_index(tmp_path):
    file = tmp_path / "r.jsonl"
    file.write_text("".join(json.dumps({"id": f"r{i}", "text": f"record number {i}"}) + "\n" for i in range(4)))
    xsearch("index", "r.jsonl", cwd=tmp_path)
    file.write_text("".join(json.dumps({"id": f"r{i}", "text": f"record number {i}"}) + "\n" for i in (0, 2, 9)))
    assert "2 documents removed" in xsearch("index", "r.jsonl", cwd=tmp_path).err
    hits = json.loads(xsearch("query", "record number", "--format", "json", cwd=tmp_path).out)["hits"]
    assert {hit["id"] for hit in hits} == {"r0", "r2", "r9"}


def test_delete_compact_check_info_doctor_backup_restore(tmp_path):
    (tmp_path / "r.jsonl").write_text(
        "".join(json.dumps({"id": f"r{i}", "text": f"record number {i} of rivers", "year": i}) + "\n" for i in range(9))
    )
    assert xsearch("index", "r.jsonl", "--lang", "en", cwd=tmp_path).code == 0
    gone = xsearch("delete", "r1", "nobody", cwd=tmp_path)
    assert (gone.code, gone.err) == (0, "nobody: no such document\n1 document deleted\n")
    assert xsearch("delete", "nobody", cwd=tmp_path).code == 1
    assert "3 documents deleted" in xsearch("delete", "--filter", "year >= 6", cwd=tmp_path).err
    info = json.loads(xsearch("info", "--format", "json", cwd=tmp_path).out)
    assert (info["documents"], info["dead passages"], info["languages"]["en"]["documents"]) == (5, 4, 5)
    assert xsearch("backup", "copy", cwd=tmp_path).code == 0
    assert "5 passages kept, 4 dead dropped" in xsearch("compact", cwd=tmp_path).err
    info = json.loads(xsearch("info", "--format", "json", cwd=tmp_path).out)
    assert (info["documents"], info["dead passages"]) == (5, 0)
    again = xsearch("compact", cwd=tmp_path).err
    assert "5 passages kept, " in again
    assert "dead" not in again
    assert "whole" in xsearch("check", cwd=tmp_path).err
    assert xsearch("restore", "copy", "-i", "again", cwd=tmp_path).code == 0
    hits = json.loads(xsearch("query", "rivers", "-i", "again", "--format", "json", cwd=tmp_path).out)["hits"]
    assert {hit["id"] for hit in hits} == {"r0", "r2", "r3", "r4", "r5"}
    assert xsearch("restore", "copy", "-i", "again", cwd=tmp_path).code == 3
    assert "no backup at nowhere" in xsearch("restore", "nowhere", "-i", "third", cwd=tmp_path).err
    well = xsearch("doctor", "--format", "json", cwd=tmp_path)
    assert well.code == 0, well.out
    assert {finding["level"] for finding in json.loads(well.out)} == {"green"}


def test_check_finds_damage_and_repair_mends_it(tmp_path):
    (tmp_path / "a.txt").write_text("A river in a book about rivers.")
    xsearch("index", "a.txt", cwd=tmp_path)
    for path in sorted((tmp_path / ".xsearch").rglob("*.fieldnorm")):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 0xFF
        path.write_bytes(content)
    broken = xsearch("check", cwd=tmp_path)
    assert broken.code == 1
    assert "checksum" in broken.err
    assert xsearch("check", "--repair", cwd=tmp_path).code == 0
    assert xsearch("check", cwd=tmp_path).code == 0
    assert xsearch("query", "river", cwd=tmp_path).code == 0


def test_doctor_goes_red_for_a_script_the_analyzers_drop(tmp_path):
    index = create_index(tmp_path / "idx")
    with index.writer() as writer:
        writer.add(Document("a", "Ein Satz, der gut zerlegt wird.", lang="de"))
        # A private-use "script": letters to a reader with the font, nothing to the analyzer.
        writer.add(Document("b", "".join(map(chr, range(0xE000, 0xE040))), lang="tlh"))
    levels = {finding.subject: finding.level for finding in diagnose(tmp_path / "idx") if finding.lang}
    assert levels["de"] == "green"
    assert levels["tlh"] == "red"


def test_doctor_says_where_no_translation_leads(tmp_path, monkeypatch):
    # Every language that the vectors of the package know has a table: this one is taken away.
    monkeypatch.setattr(TranslationTables, "supports", lambda _, source, target: float("br" not in (source, target)))
    index = create_index(tmp_path / "idx")
    with index.writer() as writer:
        writer.add(Document("br", "An ti gozh a zo e-tal ar stêr.", lang="br"))
        writer.add(Document("fr", "La vieille maison est près de la rivière.", lang="fr"))
    found = {finding.lang: finding for finding in diagnose(tmp_path / "idx")}
    assert (found["fr"].level, found["fr"].message) == ("green", "words and meaning")
    assert (found["br"].level, "no translation table" in found["br"].message) == ("yellow", True)


def test_encoders(tmp_path):
    listed = json.loads(xsearch("encoders", "list", "--format", "json", cwd=tmp_path).out)
    kinds = {card["name"]: card["kind"] for card in listed}
    assert [name for name, kind in kinds.items() if kind == "static"] == ["xsearch-static-v2"]
    assert {"dense", "multivector", "sparse"} <= set(kinds.values())
    shown = xsearch("encoders", "show", "xsearch-static-v2", cwd=tmp_path).out
    assert "xsearch-static-v2" in shown
    assert re.search(r"^ sn +0\.54 +assumed: too few texts", shown, re.M)
    assert re.search(r"^ sw +0\.76 *$", shown, re.M)
    assert "▁yes" in xsearch("encoders", "show", "mt5-base-mmarco-v2", cwd=tmp_path).out
    assert xsearch("encoders", "show", "nobody", cwd=tmp_path).code == 2
    assert "en-es" in xsearch("encoders", "tables", "show", "xsearch-tables-v1", cwd=tmp_path).out


def commands() -> list[str]:
    import typer.main

    from xsearch.cli.app import app

    return sorted(typer.main.get_command(app).commands)


def test_every_command_explains_itself_and_is_in_the_readme(tmp_path):
    from pathlib import Path

    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    for command in commands():
        shown = xsearch(command, "--help", cwd=tmp_path)
        assert shown.code == 0
        assert "Usage:" in shown.out
        assert f"xsearch {command}" in readme


def test_every_command_shows_an_example():
    import typer.main

    from xsearch.cli.app import app

    def lacking(name, command):
        if parts := getattr(command, "commands", None):
            return [one for part, inner in parts.items() for one in lacking(f"{name} {part}", inner)]
        return [] if re.search(rf"^\s*{name}( |$)", command.help or "", re.MULTILINE) else [name]

    assert lacking("xsearch", typer.main.get_command(app)) == []


def test_doctor_says_what_reaches_a_language_without_vectors(tmp_path, monkeypatch):
    # Every language that the tables of the package reach has vectors: this one's are taken away.
    supports = StaticEncoder.supports
    monkeypatch.setattr(StaticEncoder, "supports", lambda self, lang: 0.0 if lang == "mt" else supports(self, lang))
    index = create_index(tmp_path / "idx")
    with index.writer() as writer:
        writer.add(Document("mt", "Il-Gvern ħabbar li l-vapuri bejn Malta u Għawdex se jkunu b'xejn.", lang="mt"))
    found = {finding.lang: finding for finding in diagnose(tmp_path / "idx")}
    assert found["mt"].message.startswith("words and their translations")


def test_the_largest_document_is_told(tmp_path):
    (tmp_path / "a.txt").write_text("A river in a book about rivers. " * 9)
    refused = xsearch("index", "a.txt", "--max-document-bytes", "100", cwd=tmp_path)
    assert "larger than 100 bytes" in refused.err
    assert refused.code == 1
    assert xsearch("index", "a.txt", "--max-document-bytes", "1000", cwd=tmp_path).code == 0
