"""Compressed files: the same records, damage reported after what came before it, bombs stopped."""

import gzip
import io
import lzma
import random

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from xsearch.core import BadInput
from xsearch.corpora import ReadOptions, compression
from xsearch.corpora.compression import open_stream, split_compression

PACK = {".gz": gzip.compress, ".xz": lzma.compress, ".zst": zstandard.compress}


def lines(count: int) -> bytes:
    random_ = random.Random(1)
    return b"".join(b'{"id": %d, "text": "%016x"}\n' % (n, random_.getrandbits(64)) for n in range(count))


def unpack(data: bytes, suffix: str | None, **options) -> bytes:
    with open_stream(io.BytesIO(data), suffix, ReadOptions(**options)) as stream:
        return stream.read()


@pytest.mark.parametrize("suffix", PACK)
def test_a_compressed_file_reads_as_the_plain_one(reading, suffix):
    assert reading(f"a.jsonl{suffix}", PACK[suffix](lines(500))).ids == [str(n) for n in range(500)]
    assert reading(f"b.txt{suffix.upper()}", PACK[suffix](b"text")).texts == ["text"]
    assert reading(f"noname{suffix}", PACK[suffix](b'{"id": "x", "text": "y"}')).ids == ["x"]


@given(st.lists(st.binary(max_size=2000), min_size=1, max_size=4), st.sampled_from(sorted(PACK)))
def test_all_parts_of_a_file_are_read(parts, suffix):
    assert unpack(b"".join(PACK[suffix](part) for part in parts), suffix) == b"".join(parts)


@pytest.mark.parametrize("suffix", PACK)
def test_a_truncated_file_gives_what_is_whole_and_a_report(reading, suffix):
    whole = lines(12_000)
    packed = PACK[suffix](whole)
    outcome = reading(f"a.jsonl{suffix}", packed[: len(packed) * 9 // 10])
    assert 1000 < len(outcome.documents) < 12_000
    assert outcome.ids == [str(n) for n in range(len(outcome.documents))]
    assert len(outcome.bad) == 1
    assert "damaged" in outcome.bad[0]


@pytest.mark.parametrize("suffix", PACK)
@pytest.mark.parametrize("data", [b"plain text", b"\x1f\x8b\x08junk and junk", b"(\xb5/\xfd", b"\xfd7zXZ\0\0"])
def test_what_is_not_compressed_at_all_is_reported(reading, suffix, data):
    outcome = reading(f"a.jsonl{suffix}", data)
    assert outcome.documents == []
    assert len(outcome.bad) == 1
    assert outcome.bad[0].startswith(f"a.jsonl{suffix}: damaged")


@pytest.mark.parametrize("suffix", PACK)
def test_an_empty_compressed_file_is_empty(reading, suffix):
    assert reading(f"a.jsonl{suffix}", PACK[suffix](b"")).bad == [f"a.jsonl{suffix}: the file is empty"]


@pytest.mark.parametrize("suffix", PACK)
def test_a_bomb_is_stopped_by_its_ratio(suffix, monkeypatch):
    monkeypatch.setattr(compression, "RATIO_FROM", 1 << 20)
    bomb = PACK[suffix](b"\n" * (3 << 20))
    with pytest.raises(BadInput, match=r"more than 100 times its size \(max_ratio\)"):
        unpack(bomb, suffix, max_ratio=100)
    assert len(unpack(bomb, suffix, max_ratio=1_000_000)) == 3 << 20


@pytest.mark.parametrize("suffix", PACK)
def test_unpacking_stops_at_the_limit(suffix):
    with pytest.raises(BadInput, match=r"unpacks to more than 1 MiB \(max_bytes\)"):
        unpack(PACK[suffix](random.Random(1).randbytes(1200 << 10)), suffix, max_bytes=1 << 20)


def test_records_ahead_of_the_limit_are_read(reading):
    outcome = reading("a.jsonl.gz", gzip.compress(lines(60_000)), max_bytes=1 << 20)
    assert len(outcome.documents) > 20_000
    assert outcome.bad == ["a.jsonl.gz: unpacks to more than 1 MiB (max_bytes): the rest is not read"]


def test_names_and_their_compression():
    assert split_compression("a.csv.GZ") == ("a.csv", ".gz")
    assert split_compression("a.csv") == ("a.csv", None)
    assert split_compression(".gz") == (".gz", None)


@given(st.binary(max_size=400), st.sampled_from([".gz", ".xz", ".zst"]))
def test_any_bytes_are_unpacked_or_bad_input(data, suffix):
    try:
        unpacked = unpack(data, suffix)
    except BadInput:
        return
    assert not data or unpacked or PACK[suffix](b"")[:4] == data[:4]
