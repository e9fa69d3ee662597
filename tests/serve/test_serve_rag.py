"""The retrievers for RAG frameworks, against the real packages."""

import asyncio
import importlib
import os

# Haystack reports its use to its makers unless told not to; a test sends nothing anywhere.
os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"

import pytest

import xsearch


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    made = xsearch.create(tmp_path_factory.mktemp("rag") / "idx")
    with made.writer() as writer:
        writer.add(xsearch.Document("de", "Die Elbe ist ein Fluss.", title="Elbe", metadata={"year": 2020}))
        writer.add(xsearch.Document("en", "The Danube is a river.", metadata={"year": 1990}))
    return made


def test_langchain(index):
    pytest.importorskip("langchain_core", reason="needs the extra `langchain`")
    from xsearch.serve.langchain import XSearchRetriever

    retriever = XSearchRetriever(index=index, k=2)
    found = retriever.invoke("a river called Danube")
    assert found[0].page_content == "The Danube is a river."
    assert found[0].metadata["year"] == 1990
    assert found[0].metadata["lang"] == "en"
    assert asyncio.run(retriever.ainvoke("Fluss Elbe"))[0].id == "de"
    only = XSearchRetriever(index=index, options={"to": ["de"]})
    assert [d.id for d in only.invoke("river")] == ["de"]
    assert [d.id for d in retriever.invoke("river", filter="year < 2000")] == ["en"]
    assert [d.id for d in asyncio.run(retriever.ainvoke("river", k=1, to=["de"]))] == ["de"]
    assert [d.id for d in only.invoke("river", to=["en"])] == ["en"]
    with pytest.raises(TypeError, match="filters"):
        retriever.invoke("river", filters={"year": 1990})


def test_llama_index(index):
    pytest.importorskip("llama_index.core", reason="needs the extra `llama-index`")
    from llama_index.core.schema import MetadataMode

    from xsearch.serve.llama_index import XSearchRetriever

    found = XSearchRetriever(index, k=1).retrieve("a river called Danube")
    assert [(n.node.node_id, n.node.get_content()) for n in found] == [("en", "The Danube is a river.")]
    assert found[0].score > 0
    assert found[0].node.metadata["year"] == 1990
    assert found[0].node.metadata["snippet"] == "The Danube is a river."
    read = found[0].node.get_content(metadata_mode=MetadataMode.LLM)
    assert read.count("The Danube is a river.") == 1
    assert "year: 1990" in read
    assert "score" not in read


def test_haystack(index):
    pytest.importorskip("haystack", reason="needs the extra `haystack`")
    from haystack import Pipeline

    from xsearch.serve.haystack import XSearchRetriever

    pipeline = Pipeline()
    pipeline.add_component("retriever", XSearchRetriever(index, top_k=2))
    found = pipeline.run({"retriever": {"query": "Fluss Elbe", "filter": "year >= 2000"}})["retriever"]["documents"]
    assert [(d.id, d.content, d.meta["title"]) for d in found] == [("de", "Die Elbe ist ein Fluss.", "Elbe")]
    again = Pipeline.from_dict(pipeline.to_dict(), allowed_modules=["xsearch.serve.haystack"])
    assert again.run({"retriever": {"query": "Fluss Elbe", "top_k": 1}})["retriever"]["documents"][0].id == "de"
    narrow = XSearchRetriever(index, options={"to": ["en"]})
    narrow = XSearchRetriever.from_dict(narrow.to_dict())
    assert [d.id for d in narrow.run("river")["documents"]] == ["en"]
    assert [d.id for d in narrow.run("river", to=["de"])["documents"]] == ["de"]
    with pytest.raises(xsearch.UsageError):
        narrow.run("river", top_k=0)


RETRIEVERS = {"langchain": "langchain_core", "llama_index": "llama_index.core", "haystack": "haystack"}


@pytest.mark.parametrize("framework", RETRIEVERS)
def test_every_retriever_takes_the_path_of_an_index(index, framework):
    pytest.importorskip(RETRIEVERS[framework], reason="needs the framework's extra")
    retriever = importlib.import_module(f"xsearch.serve.{framework}").XSearchRetriever
    ask = {
        "langchain": lambda made: [found.id for found in made.invoke("Fluss Elbe")],
        "llama_index": lambda made: [found.node.node_id for found in made.retrieve("Fluss Elbe")],
        "haystack": lambda made: [found.id for found in made.run("Fluss Elbe")["documents"]],
    }[framework]
    for given in (index, index.path, str(index.path)):
        assert ask(retriever(index=given))[0] == "de"
    with pytest.raises(xsearch.UsageError, match="an open index or the path of its folder, not int"):
        retriever(index=7)
    with pytest.raises(xsearch.BadInput):
        retriever(index=str(index.path / "nothing"))
