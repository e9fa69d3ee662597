"""How a recipe has vectors searched, seen from an index: what is written, checked, compacted and answered."""

from __future__ import annotations

import pytest

import xsearch
from xsearch.engine import compact
from xsearch.retrieve import dense, windows
from xsearch.storage import check_index, read_manifest

RECIPE = 'name = "vectors"\nretrievers = ["dense"]\n[dense]\nsearch = "{search}"\n'
SUBJECTS = ("river", "election", "bread", "teacher", "engine", "garden", "winter", "music", "doctor", "market")


def quantised(index):
    """How many segments are quantised, by the manifest, whose files the check knows."""
    state = read_manifest(index).retrievers["dense"]
    entries = [entry for several in state["languages"].values() for entry in several]
    assert sum(name.endswith(".pq4") for name in state["files"]) == sum("parts" in entry for entry in entries)
    return sum("parts" in entry for entry in entries)


def build(folder, search):
    recipe = folder.with_suffix(".toml")
    recipe.write_text(RECIPE.format(search=search))
    index = xsearch.create(folder, recipe)
    with index.writer() as writer:
        for n in range(60):
            text = f"The {SUBJECTS[n % 10]} and the {SUBJECTS[n // 10]} were mentioned in chapter {n} of the old book."
            writer.add(xsearch.Document(id=f"d{n}", text=text, lang="en"))
    return index


def test_a_recipe_says_whether_every_window_is_scored(tmp_path, monkeypatch):
    pytest.importorskip("faiss")
    monkeypatch.setattr(dense, "FROM_WINDOWS", 40)
    monkeypatch.setattr(dense, "FAISS_WINDOWS", 0)
    monkeypatch.setattr(windows, "SCAN_COST", 1)
    exact, scanned = build(tmp_path / "exact", "exact"), build(tmp_path / "auto", "auto")
    assert (quantised(tmp_path / "exact"), quantised(tmp_path / "auto")) == (0, 1)
    for question in ("bread and music", "who won the election", "Winter im Garten"):
        assert [hit.id for hit in scanned.search(question, k=5)] == [hit.id for hit in exact.search(question, k=5)]
    with scanned.writer() as writer:
        writer.delete([f"d{n}" for n in range(10)])
    assert not {f"d{n}" for n in range(10)} & {hit.id for hit in scanned.search("bread and music", k=60)}
    assert len(scanned.search("bread and music", k=60)) == 50
    compact(tmp_path / "auto")
    compact(tmp_path / "exact")
    assert (quantised(tmp_path / "exact"), quantised(tmp_path / "auto")) == (0, 1)
    assert [problem for problem in check_index(tmp_path / "auto") if problem.level == "error"] == []
    scanned.refresh()
    assert len(scanned.search("bread and music", k=60)) == 50
    damaged = next((tmp_path / "auto").rglob("*.pq4"))
    damaged.write_bytes(damaged.read_bytes()[:-9])
    errors = [problem.path for problem in check_index(tmp_path / "auto") if problem.level == "error"]
    assert [path.rpartition("/")[2] for path in errors] == [damaged.name]
