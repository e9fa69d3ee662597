"""One generation of an index being written: the store, the columns, liveness and the segments of every part.

A writer appends to the current generation; `compact` fills a new one beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from xsearch import lang as languages
from xsearch.core import IntArray, PassageBatch, QuestionTerms, Windows
from xsearch.engine.encoder import Encoded
from xsearch.engine.parts import PARTS
from xsearch.engine.prepare import Prepared
from xsearch.engine.recipe import first_state, parse_stored, recipe_parts
from xsearch.storage import (
    Files,
    Liveness,
    Manifest,
    Store,
    append_columns,
    column_files,
    generation_folder,
    hash_files,
    live_name,
)
from xsearch.storage.failpoints import reach


class GenerationWriter:
    """Appends passages to a generation and turns what was appended into the next manifest.

    manifest: the last commit, of which `generation` names the folder to write to. What a writer that died left
    ahead of it is dropped. One thread at a time.
    """

    def __init__(self, root: Path, manifest: Manifest, files: Files) -> None:
        self.root, self.files = root, files
        self.folder = generation_folder(root, manifest.generation)
        self.store = Store.open(self.folder / "store.db")
        self.store.recover(manifest.commit, manifest.high_water)
        recipe = parse_stored(manifest.recipe)
        self.parts = {
            name: PARTS[name]()(
                self.folder / name,
                manifest.retrievers.get(name, first_state(recipe, name)),
                # A generation that `compact` starts has no segments yet: its numbers begin anew.
                high_water=manifest.high_water if name in manifest.retrievers else 0,
                files=files,
            )
            for name in recipe_parts(recipe)
        }
        self.advance(manifest)

    def advance(self, manifest: Manifest) -> None:
        """Go on from `manifest`, which has been committed."""
        self.manifest = manifest
        self.commit_number = manifest.commit + 1
        self.high_water = manifest.high_water
        self.documents = manifest.documents
        self.live = Liveness.open(self.folder / manifest.live)
        self.codes = {code: number for number, code in enumerate(manifest.languages)}
        self._numbers: list[IntArray] = []
        self._owners: list[IntArray] = []
        self._languages: list[int] = []
        self._dead: list[IntArray] = []

    def add(self, prepared: Prepared, encoded: Encoded) -> None:
        """Store a batch of documents and hand its passages to every part. encoded: windows' owners are rows of the
        batch's passages."""
        reach("add.store")
        alive = self.store.add(prepared.documents, self.commit_number)
        lengths = np.array([len(new.spans) for new in prepared.documents], dtype=np.int64)
        if lengths.sum():
            numbers = np.arange(alive.first[0], alive.first[0] + lengths.sum(), dtype=np.int64)
            self.append(prepared, numbers, np.repeat(alive.documents, lengths), encoded)
        self._dead.append(alive.dead)
        self.documents += len(prepared.documents) - alive.replaced

    def append(
        self,
        prepared: Prepared,
        numbers: IntArray,
        owners: IntArray,
        encoded: Encoded,
        questions: QuestionTerms | None = None,
    ) -> None:
        """Hand passages that the store already holds to the columns and the parts.

        numbers: int64 (n,) passage numbers, ascending. owners: int64 (n,) document numbers. questions: generated from
        the passages.
        """
        windows = encoded.windows
        numbered = Windows(windows.vectors, numbers[windows.owners]) if windows is not None else None
        batch = PassageBatch(
            numbers,
            prepared.groups,
            prepared.terms,
            prepared.title_terms,
            numbered,
            encoded.pieces,
            encoded.forms,
            encoded.weights,
            encoded.token_vectors,
            prepared.texts or None,
            questions,
            encoded.expected,
        )
        for part in self.parts.values():
            part.add(batch)
        self._numbers.append(numbers)
        self._owners.append(owners)
        spans = (span for document in prepared.documents for span in document.spans)
        self._languages.extend(self.codes.setdefault(span.lang, len(self.codes)) for span in spans)
        self.high_water = max(self.high_water, int(numbers[-1]) + 1)

    def delete(self, ids: Sequence[str]) -> list[str]:
        """Remove documents; returns the ids that are not there."""
        removed = self.store.remove(ids, self.commit_number)
        self._dead.append(removed.dead)
        self.documents -= len(set(ids)) - len(removed.missing)
        return removed.missing

    def revive(self) -> None:
        """Count every passage appended as alive: their numbers lie below the high-water mark of the generation that
        `compact` started from, with none alive."""
        mask = self.live.mask()
        mask[_joined(self._numbers)] = True
        self.live = Liveness.of(mask)

    def flush(self, created: str, now: str) -> Manifest:
        """Make everything durable and return the manifest that would commit it: parts, store, columns,
        liveness, in this order (D2)."""
        states, names = {}, []
        for name, part in self.parts.items():
            states[name] = part.flush()
            names += [f"{name}/{file}" for file in states[name].get("files", ())]
        self.store.commit(self.commit_number)
        reach("commit.columns")
        columns = append_columns(
            self.files,
            self.folder,
            self.manifest.columns,
            self.commit_number,
            _joined(self._numbers),
            _joined(self._owners),
            np.array(self._languages, dtype=np.uint16),
        )
        reach("commit.live")
        live = self.live.changed(self.high_water, _joined(self._dead))
        live.write(self.files, self.folder / live_name(self.commit_number))
        names += [*column_files(columns), live_name(self.commit_number)]
        reach("commit.hash")
        relative = [f"{self.folder.name}/{name}" for name in names]
        return Manifest(
            commit=self.commit_number,
            generation=self.manifest.generation,
            high_water=self.high_water,
            documents=self.documents,
            passages=live.count,
            languages=tuple(self.codes),
            recipe=self.manifest.recipe,
            encoder=self.manifest.encoder,
            analyzers=analyzer_records([*self.codes, *states.get("generated", {}).get("asked", {})]),
            retrievers=states,
            live=live_name(self.commit_number),
            columns=columns,
            files=hash_files(self.root, relative, self.manifest.files),
            created=created,
            updated=now,
        )

    def close(self) -> None:
        """Let go of every file; what was not committed is dropped by the next writer."""
        for part in self.parts.values():
            part.close()
        self.store.close()


def analyzer_records(codes: Iterable[str]) -> dict[str, tuple[str, str, str]]:
    """What the manifest keeps of the analyzers of these languages: name, version, fingerprint."""
    analyzers = {code: languages.analyzer(code) for code in codes}
    return {code: (a.name, str(a.version), a.fingerprint) for code, a in analyzers.items()}


def _joined(parts: Sequence[IntArray]) -> IntArray:
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)
