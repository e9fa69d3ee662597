"""Failpoints: nothing unless armed, and no name that nobody reaches."""

import ast
from pathlib import Path

import pytest

import xsearch
from xsearch.storage import failpoints

SOURCES = Path(xsearch.__file__).parent


def test_unarmed_points_do_nothing_and_cost_nothing():
    failpoints.reach("storage.write.beside")
    failpoints.reach("any name at all")


def test_an_armed_point_acts_until_disarmed():
    hits = []
    with failpoints.armed("storage.add.before", lambda: hits.append(1)):
        failpoints.reach("storage.add.before")
        failpoints.reach("storage.add.after")
    failpoints.reach("storage.add.before")
    assert hits == [1]
    failpoints.arm("storage.add.before", failpoints.crash)
    with pytest.raises(failpoints.Crash):
        failpoints.reach("storage.add.before")
    failpoints.disarm()
    failpoints.reach("storage.add.before")


def test_unknown_names_are_refused_while_any_is_armed():
    with pytest.raises(ValueError, match="no failpoint"):
        failpoints.arm("storage.add.befroe", failpoints.crash)
    with (
        failpoints.armed("storage.add.before", lambda: None),
        pytest.raises(ValueError, match="no failpoint"),
    ):
        failpoints.reach("storage.add.befroe")


def test_every_point_in_the_sources_is_listed_and_every_listed_one_of_the_storage_is_there():
    reached = set()
    for path in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and _name(node.func) == "reach" and isinstance(node.args[0], ast.Constant):
                reached.add(node.args[0].value)
    assert reached <= set(failpoints.POINTS)
    assert {name for name in failpoints.POINTS if name.startswith("storage.")} <= reached
    assert len(set(failpoints.POINTS)) == len(failpoints.POINTS)


def _name(function):
    return getattr(function, "id", getattr(function, "attr", None))
