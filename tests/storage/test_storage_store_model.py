"""The store against a model of it: a dict a commit, under any order of add, replace, remove, commit and recovery."""

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from xsearch.core import Document
from xsearch.storage import DiskFiles, NewDocument, NewPassage, SourceState, Store, StoreReader, copy_live

IDS = st.sampled_from("abcdefgh")
PATHS = st.sampled_from(["x", "y", "z"])


class StoreMachine(RuleBasedStateMachine):
    """alive: id → (text, first passage, passages, source) as the writer sees it. committed: the same as of each
    manifest. `manifest` plays the manifest's part: (commit, high-water mark)."""

    @initialize()
    def create(self):
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "store-0.db"
        self.store = Store.create(self.path)
        self.manifest = (0, 0)
        self.alive, self.sources = {}, {}
        self.committed = {0: ({}, {})}
        self.next = 0
        self.generation = 0

    @property
    def coming(self):
        return self.manifest[0] + 1

    @rule(batch=st.lists(st.tuples(IDS, st.text(max_size=5), st.integers(0, 3), st.none() | PATHS), max_size=6))
    def add(self, batch):
        given = [
            NewDocument(Document(id, text), [NewPassage(0, len(text), "en", "Latn", 1.0)] * passages, source)
            for id, text, passages, source in batch
        ]
        added = self.store.add(given, self.coming)
        dead, replaced = [], 0
        for (id, text, passages, source), first in zip(batch, added.first.tolist(), strict=True):
            assert first == self.next
            if id in self.alive:
                replaced += 1
                dead += self._passages(id)
            self.alive.pop(id, None)
            self.alive[id] = (text, first, passages, source)
            self.next += passages
        assert (added.dead.tolist(), added.replaced) == (dead, replaced)

    @rule(ids=st.lists(IDS, max_size=4))
    def remove(self, ids):
        removed = self.store.remove(ids, self.coming)
        assert removed.missing == [id for id in dict.fromkeys(ids) if id not in self.alive]
        gone = [id for id in dict.fromkeys(ids) if id in self.alive]
        assert removed.dead.tolist() == [number for id in gone for number in self._passages(id)]
        for id in gone:
            del self.alive[id]

    @rule(path=PATHS, size=st.integers(0, 9), forget=st.booleans())
    def source(self, path, size, forget):
        if forget:
            self.store.remove_source(path, self.coming)
            self.sources.pop(path, None)
        else:
            self.sources[path] = SourceState(size, size, str(size))
            self.store.set_source(path, self.sources[path], self.coming)

    @rule()
    def commit_store_only(self):
        self.store.commit(self.coming)

    @rule()
    def commit(self):
        self.store.commit(self.coming)
        self.manifest = (self.coming, self.next)
        self.committed[self.manifest[0]] = (dict(self.alive), dict(self.sources))

    @rule()
    def reopen(self):
        self.store.close()
        self._open()

    @precondition(lambda self: self.manifest[0])
    @rule()
    def compact(self):
        self.store.close()
        self.generation += 1
        target = self.folder / f"store-{self.generation}.db"
        copy_live(self.path, target, *self.manifest, DiskFiles())
        self.path = target
        # Earlier commits can no longer be read there.
        self.committed = {self.manifest[0]: self.committed[self.manifest[0]]}
        self._open()

    @invariant()
    def every_commit_reads_as_it_was(self):
        for commit in {min(self.committed), max(self.committed)}:
            alive, sources = self.committed[commit]
            reader = StoreReader(self.path, commit)
            try:
                found = {one.id: (one.text, one.first, len(one.spans), one.source) for one in reader.documents()}
                assert found == alive
                assert list(found) == sorted(alive, key=list(alive).index)
                assert reader.sources() == sources
                counts = reader.counts()
                assert (counts.documents, counts.passages) == (len(alive), sum(place[2] for place in alive.values()))
                for id, (text, *_) in alive.items():
                    assert reader.document(id).text == text
            finally:
                reader.close()
        assert self.store.sources() == self.sources
        for path in "xyz":
            mine = [id for id, place in self.alive.items() if place[3] == path]
            assert sorted(self.store.ids_of_source(path)) == sorted(mine)

    def teardown(self):
        if hasattr(self, "store"):
            self.store.close()
            shutil.rmtree(self.folder)

    def _open(self):
        commit, high_water = self.manifest
        self.store = Store.open(self.path)
        self.store.recover(commit, high_water)
        alive, sources = self.committed[commit]
        self.alive, self.sources, self.next = dict(alive), dict(sources), high_water

    def _passages(self, id):
        _, first, passages, _ = self.alive[id]
        return list(range(first, first + passages))


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(max_examples=12, stateful_step_count=25, deadline=None)
