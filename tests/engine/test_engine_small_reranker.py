"""The reranker that ships, on an index of its own: what a user sees of it."""

import numpy as np
import pytest

import xsearch
from xsearch.rank.rerank import load_reranker

TEXTS = {
    "honey.de": "Bienen sammeln Nektar von Blüten und machen daraus im Bienenstock Honig.",
    "honey.fr": "Les abeilles récoltent le nectar des fleurs et en font du miel dans la ruche.",
    "fair.de": "Auf der Messe in Berlin zeigen Firmen neue Maschinen für die Landwirtschaft.",
    "train.de": "Der Zug nach Hamburg fährt jede Stunde vom Hauptbahnhof ab.",
    "train.fr": "Le train pour Marseille part toutes les heures de la gare centrale.",
    "law.fr": "Le parlement a voté une loi sur les impôts des entreprises.",
}


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    index = xsearch.create(tmp_path_factory.mktemp("small") / "idx")
    with index.writer() as writer:
        for id, text in TEXTS.items():
            writer.add(xsearch.Document(id=id, text=text, lang=id[-2:]))
    return index


def test_what_was_asked_for_comes_first_in_both_languages(index):
    hits = index.search("How do bees make honey?", lang="en", rerank="small", explain=True)
    assert {hit.id for hit in hits[:2]} == {"honey.de", "honey.fr"}
    assert hits[0].rerank is not None
    assert hits[0].rerank.reranker == "xsearch-rerank-small"
    scores = [hit.score for hit in hits]
    assert scores == sorted(scores, reverse=True)


def test_an_index_without_translations_or_vectors_can_be_reranked(tmp_path):
    index = xsearch.create(tmp_path / "idx", recipe="bm25")
    with index.writer() as writer:
        for id, text in TEXTS.items():
            writer.add(xsearch.Document(id=id, text=text, lang=id[-2:]))
    hits = index.search("Zug nach Hamburg", lang="de", rerank="small")
    assert hits[0].id == "train.de"
    assert np.isfinite([hit.score for hit in hits]).all()


def test_its_short_name_is_that_of_its_card():
    assert load_reranker("small").card == load_reranker("xsearch-rerank-small").card
