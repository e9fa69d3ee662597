"""Other engines run through the scripts and are scored like the suites."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PEERS = Path(__file__).parents[2] / "eval" / "peers"


def test_bm25s_on_a_folder(tmp_path):
    pytest.importorskip("bm25s")
    pytest.importorskip("ir_measures")
    home = tmp_path / "tiny"
    home.mkdir()
    docs = ["bees gather pollen", "the volcano throws lava", "bread is baked"]
    rows = [{"id": f"my {i}.en", "lang": "en", "text": text} for i, text in enumerate(docs)]
    (home / "docs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (home / "topics.jsonl").write_text('{"id": "t", "lang": "en", "text": "volcano"}\n')
    (home / "qrels.txt").write_text("t\t0\tmy 1.en\t1\n")
    results = tmp_path / "results.jsonl"
    command = [
        sys.executable,
        str(PEERS / "run_peer.py"),
        "bm25s",
        str(home),
        "--results",
        str(results),
        "--by",
        "pair",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    row = json.loads(results.read_text())
    assert (row["collection"], row["system"], row["documents"]) == ("tiny", "bm25s", 3)
    assert row["peer"].startswith("bm25s ")
    assert row["measures"]["nDCG@10"] == 1.0
    assert row["by"]["pair"] == {"en-en": {"nDCG@10": 1.0}}
    assert row["pairs"]["same"]["nDCG@10"] == 1.0
