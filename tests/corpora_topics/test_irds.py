"""Collections of ir_datasets, with a data set of its own made from local files."""

import pytest

from xsearch.core import BadInput, Document, MissingExtra, Topic, UsageError
from xsearch.core.extras import have
from xsearch.corpora.collections import collection

NAME = "xsearch-local"


@pytest.fixture
def local(tmp_path):
    ir_datasets = pytest.importorskip("ir_datasets")
    from ir_datasets.formats import TrecQrels, TsvDocs, TsvQueries
    from ir_datasets.util import LocalDownload

    for name, text in (("docs", "d1\tDie Wahl\nd2\tDas Brot\n"), ("queries", "q1\tWahlen\n"), ("qrels", "q1 0 d1 2\n")):
        (tmp_path / name).write_text(text)
    dataset = ir_datasets.Dataset(
        TsvDocs(LocalDownload(tmp_path / "docs"), lang="de"),
        TsvQueries(LocalDownload(tmp_path / "queries"), lang="de"),
        TrecQrels(LocalDownload(tmp_path / "qrels"), {}),
    )
    ir_datasets.registry.register(NAME, dataset)
    yield collection(f"irds:{NAME}")
    del ir_datasets.registry._registered[NAME]


def test_documents_topics_and_judgments(local):
    assert list(local.documents()) == [Document("d1", "Die Wahl", lang="de"), Document("d2", "Das Brot", lang="de")]
    assert local.topics() == local.topics("de") == [Topic("q1", "Wahlen", "de")]
    assert local.qrels().topics() == {"q1": {"d1": 2}}
    assert local.name == f"irds:{NAME}"
    with pytest.raises(BadInput, match="no topics in 'fa'; it has de"):
        local.topics("fa")


@pytest.mark.skipif(not have("ir_datasets"), reason="needs ir_datasets")
def test_an_unknown_id():
    with pytest.raises(UsageError, match="knows no 'no/such/set'"):
        collection("irds:no/such/set")


@pytest.mark.skipif(have("ir_datasets"), reason="ir_datasets is installed")
def test_without_ir_datasets_the_way_to_get_it_is_told():
    with pytest.raises(MissingExtra, match=r"xsearch-clir\[irds\]"):
        collection("irds:hc4/fa/test")
