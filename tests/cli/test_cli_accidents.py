"""Bad input and accidents: one clear line each, the right exit code, and what was committed stays."""

import gzip
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time

import pytest
from doubles.command_line import xsearch


@pytest.fixture
def home(tmp_path):
    (tmp_path / "a.txt").write_text("A river in a book about rivers.")
    return tmp_path


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    (folder / "a.txt").write_text("A river in a book about rivers.")
    assert xsearch("index", "a.txt", cwd=folder).code == 0
    return folder


def lines(text: str) -> list[str]:
    return text.strip().split("\n")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["query", ""], 2, "empty"),
        (["query", "river", "-k", "0"], 2, "k must be"),
        (["query", "river", "-k", "many"], 2, "-k"),
        (["query", "river", "--lang", "klingonish"], 2, "klingonish"),
        (["query", "river", "--to", "de,xx-nonsense-1"], 2, "nonsense"),
        (["query", "river", "--filter", "year >"], 2, "parse"),
        (["query", "river", "--filter", "__import__('os').system('true')"], 2, "functions"),
        (["query", "river", "--filter", "(" * 5000 + ")" * 5000], 2, "nested"),
        (["query", "river", "--filter", "x" * 100_000], 2, "100,000"),
        (["query", "river", "--retrievers", "bm25,colbert"], 2, "colbert"),
        (["query", "river", "--fusion", "best"], 2, "best"),
        (["query", "river", "--format", "xml"], 2, "xml"),
        (["query"], 2, "question"),
        (["query", "--topics", "none.jsonl", "--output", "x"], 3, "none.jsonl"),
        (["query", "--topics", "a.txt"], 2, "--output"),
        (["query", "river", "-i", "nowhere"], 3, "no index"),
        (["query", "river", "-i", "a.txt"], 3, "a file"),
        (["index", "nowhere"], 3, "nowhere"),
        (["index", "a.txt", "-i", "a.txt"], 3, "a file"),
        (["index", "a.txt", "-i", "new", "--recipe", "hybird"], 2, "hybird"),
        (["index", "a.txt", "-i", "new", "--encoder", "nobody"], 2, "nobody"),
        (["index", "a.txt", "-i", "new", "--lang", "klingonish"], 2, "klingonish"),
        (["index", "a.txt", "--recipe", "bm25"], 2, "recipe"),
        (["index", "a.txt", "--encoder", "nobody"], 4, "encoder"),
        (["index"], 2, "PATH"),
        (["delete"], 2, "--filter"),
        (["evaluate", "none.txt", "--qrels", "none.txt"], 3, "none.txt"),
        (["evaluate", "a.txt"], 2, "--qrels"),
        (["train", "static", "--recipe", "nowhere.toml"], 3, "nowhere.toml"),
        (["nonsense"], 2, "nonsense"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else None,
)
def test_one_line_and_the_right_code(made, arguments, code, says):
    done = xsearch(*arguments, cwd=made)
    assert (done.code, done.out) == (code, "")
    assert says in done.err
    assert "Traceback" not in done.err
    if done.err.startswith("xsearch: "):
        # One line says it; a filter's is followed by the place and examples.
        assert says in lines(done.err)[0]


def test_an_empty_folder(tmp_path):
    (tmp_path / "empty").mkdir()
    done = xsearch("index", "empty", cwd=tmp_path)
    assert done.code == 1
    assert "no document" in done.err


def test_bad_records_are_named_counted_and_skipped(home):
    rows = [json.dumps({"id": f"r{i}", "text": f"river {i}"}) for i in range(1, 10)]
    rows[6] = '{"id": "r7", "text": "riv'
    rows[2] = '{"id": "r3"}'
    (home / "nine.jsonl").write_text("\n".join(rows))
    done = xsearch("index", "nine.jsonl", cwd=home)
    assert done.code == 0
    assert "nine.jsonl:7" in done.err
    assert "nine.jsonl:3" in done.err
    assert "7 documents" in done.err
    assert "2 bad records" in done.err
    strict = xsearch("index", "nine.jsonl", "--strict", "-i", "other", cwd=home)
    assert strict.code == 3
    assert "nine.jsonl:3" in lines(strict.err)[-1]


def test_duplicate_ids_last_wins_and_is_counted(home):
    rows = [{"id": "same", "text": "the first speaks of lakes"}, {"id": "same", "text": "the last speaks of zebras"}]
    (home / "two.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert "1 document replaced by a later one" in xsearch("index", "two.jsonl", cwd=home).err
    assert xsearch("query", "zebras", "--retrievers", "bm25", cwd=home).code == 0
    assert xsearch("query", "lakes", "--retrievers", "bm25", cwd=home).code == 1


def test_a_folder_of_hard_cases(home):
    docs = home / "docs"
    docs.mkdir()
    (docs / "empty.txt").write_bytes(b"")
    (docs / "junk.bin").write_bytes(os.urandom(4096))
    (docs / "bom.txt").write_bytes(b"\xef\xbb\xbfA river with a mark.\r\nAnd lines.\r\n")
    (docs / "latin.txt").write_bytes("Der Fluß führt sehr viel Wasser über die Brücke.\n".encode("latin-1"))
    (docs / "broken.txt").write_bytes(b"A river \xff\xfe with bytes that are no UTF-8, but most of it is fine.\n" * 3)
    (docs / "nul.txt").write_bytes(b"A river with a \x00 in it, once.\n")
    (docs / "escape.txt").write_text("A river \x1b[31mred\x1b[0m and \u202eturned\u202c around \U000e0fff.\n")
    (docs / ".env").write_text("SECRET=river")
    (docs / ".git").mkdir()
    (docs / ".git" / "config").write_text("river")
    (docs / "out.txt").symlink_to(home / "a.txt")
    (docs / "loop").symlink_to(docs)
    (docs / "ids.jsonl").write_text(
        json.dumps({"id": "with blank", "text": "A river in a record."})
        + "\n"
        + json.dumps({"id": "with\ttab", "text": "A river in another."})
    )
    with gzip.open(docs / "z.txt.gz", "wt") as packed:
        packed.write("A river in a compressed file.")
    done = xsearch("index", "docs", cwd=home)
    assert done.code == 0, done.err
    assert "Traceback" not in done.err
    assert "\x1b" not in done.err
    assert "ids.jsonl:2" in done.err
    found = xsearch("query", "river", "-k", "50", "--retrievers", "bm25", "--format", "json", cwd=home)
    ids = {hit["id"] for hit in json.loads(found.out)["hits"]}
    assert ids >= {"bom.txt", "broken.txt", "escape.txt", "with blank", "z.txt.gz"}
    assert not any(name in id for id in ids for name in (".env", ".git", "out.txt", "junk", "loop"))
    table = xsearch("query", "river", "-k", "50", "--retrievers", "bm25", cwd=home).out
    assert "\x1b" not in table
    assert "\u202e" not in table
    (home / "t.tsv").write_text("q\triver\n")
    assert xsearch("query", "--topics", "t.tsv", "--output", "run.txt", cwd=home).code == 0
    assert all(len(line.split()) == 6 for line in (home / "run.txt").read_text().splitlines())


def test_a_decompression_bomb_is_refused_and_the_rest_is_read(home):
    docs = home / "docs"
    docs.mkdir()
    with gzip.open(docs / "bomb.txt.gz", "wb", compresslevel=9) as bomb:
        for _ in range(300):
            bomb.write(b"\0" * (1 << 20))
    (docs / "good.txt").write_text("A river that is fine.")
    done = xsearch("index", "docs", cwd=home)
    assert done.code == 0
    assert "bomb.txt.gz" in done.err
    assert "1 document," in done.err


def test_a_very_long_query(made):
    done = xsearch("query", "-", cwd=made, stdin=b"river " * 180_000)
    assert done.code == 0
    assert "words" in done.err


def test_a_newer_format_is_refused(made, tmp_path):
    shutil.copytree(made / ".xsearch", tmp_path / ".xsearch")
    manifest = tmp_path / ".xsearch" / "manifest.json"
    fields = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**fields, "format": 99}))
    done = xsearch("query", "river", cwd=tmp_path)
    assert done.code == 4
    assert "newer" in done.err
    manifest.write_text(manifest.read_text()[:100])
    assert xsearch("query", "river", cwd=tmp_path).code == 4


def test_a_full_disk_keeps_what_was_committed(made, tmp_path):
    shutil.copytree(made / ".xsearch", tmp_path / ".xsearch")
    rows = (json.dumps({"id": str(i), "text": f"river {i} " + "filler words " * 40}) for i in range(20_000))
    (tmp_path / "many.jsonl").write_text("\n".join(rows))
    # A limit on file size is the full disk that a test can make without a file system of its own.
    limited = subprocess.run(
        [sys.executable, "-m", "xsearch", "index", "many.jsonl"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        preexec_fn=lambda: (
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN),
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20)),
        ),
    )
    assert limited.returncode == 4, limited.stderr
    assert "Traceback" not in limited.stderr
    assert "committed" in limited.stderr
    found = xsearch("query", "river", "--format", "json", cwd=tmp_path)
    assert [hit["id"] for hit in json.loads(found.out)["hits"]] == ["a.txt"]
    assert xsearch("index", "many.jsonl", cwd=tmp_path).code == 0


def test_ctrl_c_ends_with_130_and_keeps_what_was_committed(made, tmp_path):
    shutil.copytree(made / ".xsearch", tmp_path / ".xsearch")
    (tmp_path / "many.jsonl").write_text(
        "\n".join(json.dumps({"id": str(i), "text": f"river {i} " * 30}) for i in range(60_000))
    )
    running = subprocess.Popen(
        [sys.executable, "-m", "xsearch", "index", "many.jsonl"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        # A shell has what it runs in the background ignore Ctrl-C, and so what that runs.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    lock = tmp_path / ".xsearch" / "LOCK"
    until = time.monotonic() + 30
    while not lock.read_bytes() and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(0.3)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130, err
    assert "Traceback" not in err
    found = xsearch("query", "river", "--format", "json", cwd=tmp_path)
    assert [hit["id"] for hit in json.loads(found.out)["hits"]] == ["a.txt"]


def test_a_missing_extra_names_the_line_that_installs_it(home):
    (home / "a.pdf").write_bytes(b"%PDF-1.4 nothing")
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; sys.modules['pypdf'] = None\nfrom xsearch.cli.app import main\n"
            "sys.argv = ['xsearch', 'index', 'a.pdf']\nmain()",
        ],
        cwd=home,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 5
    assert "pip install 'xsearch-clir[ingest]'" in done.stderr


def test_two_faiss_builds_are_refused(monkeypatch):
    from xsearch.core import MissingExtra, extras

    monkeypatch.setattr(extras, "installed_faiss", lambda: ["faiss-cpu", "faiss-gpu"])
    with pytest.raises(MissingExtra, match="break each other"):
        extras.need_faiss()
