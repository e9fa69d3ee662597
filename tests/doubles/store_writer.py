"""What processes that are killed while they write to a store do, and a model of it."""

import random
import subprocess
import sys
import textwrap
from pathlib import Path

from xsearch.core import Document
from xsearch.storage import NewDocument, NewPassage, Store


def batch(commit):
    """The documents of a commit: 40, some of which replace others."""
    chance = random.Random(commit)
    return [
        NewDocument(
            Document(f"d{chance.randrange(100)}", f"text {i} of commit {commit} " * chance.randrange(1, 30)),
            [NewPassage(0, 5, "en", "Latn", 1.0)] * chance.randrange(3),
            f"file{i % 3}",
        )
        for i in range(40)
    ]


def doomed(commit):
    """The ids that a commit removes after it has added."""
    return [f"d{i}" for i in random.Random(-commit).sample(range(100), 10)]


def model(commits):
    """What is alive after so many commits, id → (number, first passage, text, passages); the high-water mark."""
    alive, number, passage = {}, 0, 0
    for commit in range(1, commits + 1):
        for new in batch(commit):
            alive[new.document.id] = (number, passage, new.document.text, len(new.spans))
            number += 1
            passage += len(new.spans)
        for id in doomed(commit):
            alive.pop(id, None)
    return alive, passage


def write_commits(path, first, last):
    """Write the commits from `first` to `last`, each told on stdout once it is durable, as a manifest would."""
    store = Store.open(path)
    for commit in range(first, last + 1):
        given = batch(commit)
        for at in range(0, len(given), 10):
            store.add(given[at : at + 10], commit)
            if at == 20:
                store.commit(commit)
        store.remove(doomed(commit), commit)
        store.commit(commit)
        sys.stdout.write(f"{commit}\n")
        sys.stdout.flush()
    store.close()


def spawn(path, body, stdout=subprocess.PIPE):
    """A process that runs `body` with `path` and everything of this module at hand."""
    start = f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from doubles.store_writer import *
from xsearch.storage import failpoints
path = Path({str(path)!r})
"""
    code = start + textwrap.dedent(body)
    return subprocess.Popen([sys.executable, "-c", code], stdout=stdout, text=True, bufsize=1)
