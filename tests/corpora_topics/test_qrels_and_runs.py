"""Judgments and runs in TREC's forms."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xsearch.core import BadInput, Judgment, Qrels, Run, ScoredDoc
from xsearch.corpora.formats.qrels import read_qrels, write_qrels
from xsearch.corpora.formats.trec_run import escape_id, read_run, unescape_id, write_run

ANY_ID = st.text(st.one_of(st.sampled_from(" \t\n\r%02579ABCD"), st.characters(exclude_categories=["Cs"])), min_size=1)
QRELS_ID = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(lambda s: s == s.strip())


def qrels_file(folder, text):
    path = folder / "qrels"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_blanks_tabs_and_grades(tmp_path):
    path = qrels_file(tmp_path, "\ufeff1 0 a.de 3\n1\t0\ta b.de\t-2\r\n\n2   zho  c 0\n")
    notes = []
    assert read_qrels(path, on_note=notes.append).rows == (
        Judgment("1", "a.de", 3), Judgment("1", "a b.de", -2), Judgment("2", "c", 0, "zho"),
    )  # fmt: skip
    assert notes == [f"{path}: 1 negative grade, taken for not relevant"]


def test_repeated_lines_are_counted_and_contradictions_are_errors(tmp_path):
    notes = []
    assert len(read_qrels(qrels_file(tmp_path, "1 0 a 1\n1 0 a 1\n"), on_note=notes.append)) == 1
    assert "1 judgment listed more than once" in notes[0]
    with pytest.raises(BadInput, match=r"qrels:2: topic 1, document a: grade 2, but an earlier line gives 1"):
        read_qrels(qrels_file(tmp_path, "1 0 a 1\n1 0 a 2\n"))


def test_all_bad_lines_are_named_at_once(tmp_path):
    path = qrels_file(tmp_path, b"1 0 a 1\n1 a 1\n1 0 b x\n1 0 b 1.0\n1 0 \xff 1\n1 0 c 1_0\n")
    with pytest.raises(BadInput) as caught:
        read_qrels(path)
    lines = str(caught.value).splitlines()
    assert lines[0] == f"{path}:2: 3 columns; expected 4: topic 0 document grade (5 bad lines in all)"
    assert lines[1:] == [
        f"  {path}:3: the grade 'x' is not an integer",
        f"  {path}:4: the grade '1.0' is not an integer",
        f"  {path}:5: b'\\xff' is not UTF-8",
        f"  {path}:6: the grade '1_0' is not an integer",
    ]


def test_many_bad_lines_are_counted_not_printed(tmp_path):
    with pytest.raises(BadInput, match=r"and 80 more") as caught:
        read_qrels(qrels_file(tmp_path, "x\n" * 100))
    assert len(str(caught.value).splitlines()) == 21


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_a_file_without_judgments(tmp_path, text):
    with pytest.raises(BadInput, match="no judgments"):
        read_qrels(qrels_file(tmp_path, text))


@given(st.dictionaries(st.tuples(QRELS_ID, QRELS_ID), st.integers(-2, 5), min_size=1))
def test_qrels_come_back_as_they_were_written(tmp_path_factory, grades):
    path = tmp_path_factory.mktemp("q") / "qrels"
    qrels = Qrels(tuple(Judgment(topic, document, grade) for (topic, document), grade in grades.items()))
    write_qrels(path, qrels)
    assert read_qrels(path, on_note=lambda note: None) == qrels


def test_an_id_no_qrels_can_hold(tmp_path):
    with pytest.raises(BadInput, match=r"cannot stand in a qrels file"):
        write_qrels(tmp_path / "q", Qrels((Judgment("1", "a\tb", 1),)))


def run_file(folder, text):
    path = folder / "run"
    path.write_text(text, encoding="utf-8", newline="\n")
    return path


def test_runs_are_put_in_trec_evals_order(tmp_path):
    run = read_run(run_file(tmp_path, "1 Q0 a 1 0.5 t\n1 Q0 b 9 2e0 t\n2 Q0 z 1 -1 t\n1 Q0 c 3 .5 t\n"))
    assert run.tag == "t"
    assert [(r.topic, r.document) for r in run] == [("1", "b"), ("1", "c"), ("1", "a"), ("2", "z")]


def test_bad_run_lines(tmp_path):
    text = "1 Q0 a 1 x t\n1 Q0 b 1 nan t\n1 Q0 c 1 inf t\n1 Q0 d 1 2\n1 Q0 e 1 1 t\n1 Q0 e 2 .5 t\n1 Q0 f 1 1_0 t\n"
    path = run_file(tmp_path, text)
    with pytest.raises(BadInput) as caught:
        read_run(path)
    lines = str(caught.value).splitlines()
    assert lines[0] == f"{path}:1: the score 'x' is not a finite number (6 bad lines in all)"
    assert [line.strip().removeprefix(f"{path}:") for line in lines[1:]] == [
        "2: the score 'nan' is not a finite number",
        "3: the score 'inf' is not a finite number",
        "4: 5 columns; expected 6: topic Q0 document rank score tag",
        "6: topic 1: document e is listed twice",
        "7: the score '1_0' is not a finite number",
    ]


def test_different_tags_are_noted(tmp_path):
    notes = []
    run = read_run(run_file(tmp_path, "1 Q0 a 1 1 x\n1 Q0 b 1 1 y\n"), on_note=notes.append)
    assert run.tag == "x"
    assert "2 different tags; 'x' is used" in notes[0]


def test_an_empty_file_is_an_empty_run(tmp_path):
    assert len(read_run(run_file(tmp_path, ""))) == 0


def test_written_form(tmp_path):
    run = Run.of([ScoredDoc("q 1", "my file.de", 0.1), ScoredDoc("q 1", "http://x/%C3%A9%20", 1.5)], tag="t")
    write_run(tmp_path / "r", run)
    written = (tmp_path / "r").read_bytes().decode()
    assert written == "q%201 Q0 http://x/%C3%A9%2520 1 1.5 t\nq%201 Q0 my%20file.de 2 0.1 t\n"


@pytest.mark.parametrize("tag", ["", "two words"])
def test_a_tag_must_be_a_word(tmp_path, tag):
    with pytest.raises(BadInput, match="tag"):
        write_run(tmp_path / "r", Run.of([ScoredDoc("1", "a", 1.0)], tag=tag))


@given(ANY_ID)
def test_ids_survive_escaping(name):
    escaped = escape_id(name)
    assert unescape_id(escaped) == name
    assert escaped.encode().split() == [escaped.encode()]


@given(st.dictionaries(st.tuples(ANY_ID, ANY_ID), st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_runs_come_back_as_they_were_written(tmp_path_factory, scores):
    path = tmp_path_factory.mktemp("r") / "run"
    run = Run.of([ScoredDoc(topic, document, score) for (topic, document), score in scores.items()], tag="t")
    write_run(path, run)
    first = path.read_bytes()
    assert read_run(path) == run
    write_run(path, read_run(path))
    assert path.read_bytes() == first


@given(st.binary(max_size=300))
def test_no_bytes_break_the_readers(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("b") / "file"
    path.write_bytes(data)
    for read in (read_qrels, read_run):
        reported = []
        try:
            read(path, on_bad=reported.append, on_note=reported.append)
        except BadInput:
            continue


def test_a_run_that_is_in_order_needs_no_note(tmp_path):
    path, notes = tmp_path / "r.txt", []
    write_run(path, Run.of([ScoredDoc("a", document, 1.0) for document in ("d1", "d10", "d2")], tag="x"))
    assert [row.document for row in read_run(path, notes.append)] == ["d2", "d10", "d1"]
    assert notes == []


def test_unsorted_and_tied_runs_are_counted(tmp_path):
    path = tmp_path / "r.txt"
    path.write_text("a Q0 d1 1 1 x\na Q0 d2 2 3 x\na Q0 d3 3 3.0 x\nb Q0 d1 1 2 x\nb Q0 d2 2 1 x\n")
    notes = []
    assert [row.document for row in read_run(path, notes.append)] == ["d3", "d2", "d1", "d1", "d2"]
    assert notes == [
        f"{path}: 1 topic not in the order of the scores, which counts",
        f"{path}: 1 line with the score of the one before, put by document id, descending",
    ]
