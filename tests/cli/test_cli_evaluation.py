"""Evaluation from the command line, in real processes: runs, indexes, suites, bias, files, judging, results pages."""

import gzip
import json
import re
from pathlib import Path

import pytest
from doubles.command_line import xsearch
from typer.testing import CliRunner

from xsearch.cli.app import app
from xsearch.core import BadInput, Document, Run, ScoredDoc, UsageError
from xsearch.corpora.formats.trec_run import read_run, write_run
from xsearch.engine import create_index

pytest.importorskip("ir_measures")

SUBJECTS = {
    "de": ["Bienen sammeln Pollen", "Der Vulkan spuckt Lava", "Das Brot wird gebacken"],
    "fr": ["Les abeilles butinent le pollen", "Le volcan crache de la lave", "Le pain cuit au four"],
}
WORDS = {"de": ["Bienen", "Vulkan Lava", "Brot"], "fr": ["abeilles", "volcan", "pain"]}
RUN = """\
t0@de Q0 0.de 1 3 mine
t0@de Q0 1.fr 2 2 mine
t0@de Q0 0.fr 3 1 mine
t0@fr Q0 0.fr 1 3 mine
t0@fr Q0 1.de 2 2 mine
t1@de Q0 1.de 1 1 mine
"""
QRELS = "".join(f"t{i} 0 {i}.{lang} 1\n" for i in range(3) for lang in SUBJECTS)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluation")
    docs = [
        {"id": f"{i}.{lang}", "lang": lang, "text": text} for lang in SUBJECTS for i, text in enumerate(SUBJECTS[lang])
    ]
    topics = [{"id": f"t{i}", "lang": lang, "text": text} for lang in WORDS for i, text in enumerate(WORDS[lang])]
    for name, rows in (("docs.jsonl", docs), ("topics.jsonl", topics)):
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (folder / "qrels.txt").write_text(QRELS)
    (folder / "run.txt").write_text(RUN)
    with create_index(folder / "idx", "bm25").writer() as writer:
        for doc in docs:
            writer.add(Document(**doc))
    return folder


def scores(outcome):
    assert outcome.code == 0, outcome.err
    return json.loads(outcome.out)


def failed(*arguments):
    """The error that a command ends with, in this process: what it means for the exit code is `main`'s."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments]).exception


def test_wordings_without_an_answer_count_as_nothing_once_the_topics_are_known(home):
    plain = scores(xsearch("evaluate", "run.txt", "--qrels", "qrels.txt", "-m", "RR", "--format", "json", cwd=home))
    # t0@de, t0@fr, t1@de have their first relevant document first; t2 got no answer in any language.
    assert plain["measures"]["RR"] == pytest.approx(3 / 4)
    known = xsearch(
        "evaluate",
        "run.txt",
        "--qrels",
        "qrels.txt",
        "--topics",
        "topics.jsonl",
        "-m",
        "RR",
        "--format",
        "json",
        cwd=home,
    )
    # Six wordings were asked, three answered.
    assert scores(known)["measures"]["RR"] == pytest.approx(3 / 6)
    assert "no results for 3 of 6 topics, scored 0" in known.err


def test_several_breakdowns_and_every_topic(home):
    form = scores(xsearch("evaluate", "run.txt", "--qrels", "qrels.txt", "--topics", "topics.jsonl", "-m", "Success@1",
                          "--by", "pair", "--by", "doc_lang", "--per-topic", "--format", "json", cwd=home))  # fmt: skip
    assert form["by"].keys() == {"pair", "doc_lang"}
    # In the pool of French documents t0@de has the wrong one first.
    assert form["by"]["pair"]["de-fr"]["Success@1"] == 0.0
    assert form["by"]["pair"]["de-de"]["Success@1"] == pytest.approx(2 / 3)
    assert form["per_topic"]["t0@de"] == {"Success@1": 1.0}
    table = xsearch("evaluate", "run.txt", "--qrels", "qrels.txt", "--per-topic", "-m", "RR", cwd=home)
    assert re.search(r"t1@de +1\.0000", table.out)


def test_an_index_is_asked_and_what_it_lacks_is_counted(home):
    command = ("evaluate", "-i", "idx", "--topics", "topics.jsonl", "-m", "Success@1", "--by", "query_lang")
    form = scores(xsearch(*command, "--qrels", "qrels.txt", "--format", "json", cwd=home))
    assert form["measures"]["Success@1"] == 1.0
    assert form["by"]["query_lang"].keys() == {"de", "fr"}
    (home / "more.txt").write_text(QRELS + "t0 0 gone.de 1\nt9 0 0.de 1\n")
    more = xsearch(*command, "--qrels", "more.txt", cwd=home)
    assert more.code == 0
    assert "1 relevant document not in idx: gone.de" in more.err
    assert "1 judged topic not asked, left out: t9" in more.err


def test_check_holds_figures_against_a_baseline(home):
    command = ("evaluate", "run.txt", "--qrels", "qrels.txt", "-m", "RR")
    good = home / "baseline.json"
    good.write_text(xsearch(*command, "--format", "json", cwd=home).out)
    assert xsearch(*command, "--check", "baseline.json", cwd=home).code == 0
    good.write_text('{"measures": {"RR": 0.9}}')
    worse = xsearch(*command, "--check", "baseline.json", cwd=home)
    assert worse.code == 1
    assert "RR: expected 0.9000, found 0.7500" in worse.err
    assert xsearch(*command, "--check", "baseline.json", "--tolerance", "0.2", cwd=home).code == 0


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("qrels", "t0 0 0.de high\n", r"bad\.txt:1: the grade 'high' is not an integer"),
        ("qrels", "t0 0 0.de 1\nt0 0.de 1\n", r"bad\.txt:2: 3 columns; expected 4"),
        ("qrels", "t0 0 0.de 1\nt0 0 0.de 0\n", r"bad\.txt:2: .*earlier line gives 1"),
        ("run", "t0@de Q0 0.de 1 nan mine\n", r"bad\.txt:1: the score 'nan' is not a finite number"),
        ("run", "t0@de Q0 0.de 1 2 mine\nt0@de Q0 0.de 2 1 mine\n", r"bad\.txt:2: .*listed twice"),
        ("run", "x Q0 0.de 1 1 mine\n", r"none of the run's topics is in the qrels: the run has 'x'"),
    ],
)  # fmt: skip
def test_bad_input_is_told_with_file_and_line(home, tmp_path, name, text, message):
    (tmp_path / "bad.txt").write_text(text)
    files = {"run": home / "run.txt", "qrels": home / "qrels.txt", name: tmp_path / "bad.txt"}
    error = failed("evaluate", files["run"], "--qrels", files["qrels"], "-m", "RR")
    assert isinstance(error, BadInput | UsageError)
    assert re.search(message, str(error))


def test_an_error_is_a_line_and_an_exit_code(home):
    (home / "bad.txt").write_text("t0 0 0.de high\n")
    done = xsearch("evaluate", "run.txt", "--qrels", "bad.txt", cwd=home)
    assert (done.code, done.out) == (3, "")
    assert "bad.txt:1: the grade 'high' is not an integer" in done.err
    assert "Traceback" not in done.err
    assert xsearch("evaluate", cwd=home).code == 2


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("evaluate",), "give a run and its judgments"),
        (("evaluate", "run.txt", "--suite", "demo"), "a suite names its own topics"),
        (("evaluate", "--suite", "dem"), "did you mean 'demo'"),
        (("evaluate", "run.txt", "--qrels", "qrels.txt", "--out", "x"), "belong to --suite"),
        (("evaluate", "run.txt", "--qrels", "qrels.txt", "-m", "nDGC@10"), "did you mean nDCG"),
        (("bias", "idx"), "give the questions"),
        (("topics", "convert", "topics.jsonl", "x.jsonl", "--field", "body"), "known are title, desc"),
        (("runs", "fuse", "run.txt", "--output", "x", "--weights", "much"), "not numbers such as 1,0.5"),
    ],
)  # fmt: skip
def test_wrong_usage_is_told(home, monkeypatch, command, message):
    monkeypatch.chdir(home)
    error = failed(*command)
    assert isinstance(error, UsageError)
    assert message in str(error)


def test_bias_of_an_index_and_of_a_run(home):
    report = scores(xsearch("bias", "idx", "--topics", "topics.jsonl", "-k", "3", "--format", "json", cwd=home))
    assert report["topics"] == 3
    # Words alone find documents of their own language, so no answer is shared.
    assert report["overlap"]["de-fr"] < 1
    assert report["same_language"]["de"] > 0.5
    # t0@de has {0.de, 1.fr, 0.fr}, t0@fr {0.fr, 1.de}: one of four is shared.
    of_run = scores(xsearch("bias", "run.txt", "--qrels", "qrels.txt", "--format", "json", cwd=home))
    assert of_run["overlap"] == {"de-fr": pytest.approx(1 / 4)}
    assert of_run["shares"]["de"] == {"fr": pytest.approx(2 / 3), "de": pytest.approx(1 / 3)}
    assert of_run["rank_variance"] == 0.0
    table = xsearch("bias", "run.txt", cwd=home)
    assert table.code == 0
    assert re.search(r"de-fr +0\.250", table.out)


def test_topics_from_form_to_form(home, tmp_path):
    assert xsearch("topics", "convert", home / "topics.jsonl", "de.tsv", "--lang", "de", cwd=tmp_path).code == 0
    assert (tmp_path / "de.tsv").read_text() == "t0\tBienen\nt1\tVulkan Lava\nt2\tBrot\n"
    (tmp_path / "ids").write_text("t1\nt2\n")
    kept = xsearch("topics", "subset", home / "topics.jsonl", "few.jsonl", "--ids", "ids", "--lang", "fr", cwd=tmp_path)
    assert "2 topics kept" in kept.err
    rows = [json.loads(line) for line in (tmp_path / "few.jsonl").read_text().splitlines()]
    assert [(row["id"], row["lang"], row["text"]) for row in rows] == [("t1", "fr", "volcan"), ("t2", "fr", "pain")]
    assert xsearch("topics", "subset", home / "topics.jsonl", "none.jsonl", "--ids", "t7", cwd=tmp_path).code == 1


def test_qrels_from_form_to_form(home, tmp_path):
    (tmp_path / "q.gz").write_bytes(gzip.compress((QRELS + "t0 0 0.de 1\nt0 0 1.de -1\n").encode()))
    done = xsearch("qrels", "convert", "q.gz", "q.txt", cwd=tmp_path)
    assert done.code == 0
    assert "1 negative grade," in done.err
    assert "listed more than once" in done.err
    assert (tmp_path / "q.txt").read_text() == QRELS + "t0 0 1.de -1\n"
    xsearch("qrels", "subset", "q.txt", "de.txt", "--to", "de", "--ids", "t0", "--grade", "1", cwd=tmp_path)
    assert (tmp_path / "de.txt").read_text() == "t0 0 0.de 1\n"


def test_runs_from_form_to_form(home, tmp_path):
    (tmp_path / "a.txt").write_text("t Q0 x 9 1 a\nt Q0 y 1 3 a\nt Q0 z 4 3 a\n")
    (tmp_path / "b.txt").write_text("t Q0 x 1 7 b\nt Q0 w.fr 2 5 b\n")
    xsearch("runs", "convert", "a.txt", "c.txt", "--tag", "new", cwd=tmp_path)
    # Ordered by score, then document id, both descending; ranks counted anew.
    assert (tmp_path / "c.txt").read_text() == "t Q0 z 1 3.0 new\nt Q0 y 2 3.0 new\nt Q0 x 3 1.0 new\n"
    xsearch("runs", "subset", "b.txt", "fr.txt", "--to", "fr", cwd=tmp_path)
    assert (tmp_path / "fr.txt").read_text() == "t Q0 w.fr 1 5.0 b\n"
    (tmp_path / "judged").write_text("t 0 z 0\n")
    pooled = xsearch("runs", "pool", "a.txt", "b.txt", "-k", "1", "--qrels", "judged", cwd=tmp_path)
    assert pooled.out == "t\tx\n"
    assert xsearch("runs", "fuse", "a.txt", "b.txt", "--output", "ab.txt", cwd=tmp_path).code == 0
    fused = [line.split() for line in (tmp_path / "ab.txt").read_text().splitlines()]
    # Reciprocal rank fusion with 60: x has 1/63 + 1/61, z 1/61, y and w.fr 1/62 each (ids descending).
    assert [row[2] for row in fused] == ["x", "z", "y", "w.fr"]
    assert float(fused[0][4]) == pytest.approx(1 / 63 + 1 / 61)


@pytest.mark.parametrize("suffix", [".gz", ".xz", ".zst"])
def test_runs_are_packed_as_their_name_says(tmp_path, suffix):
    run = Run.of([ScoredDoc("t", f"d{i}", float(i)) for i in range(2000)], "mine")
    for name in ("plain", "packed" + suffix, "again" + suffix):
        write_run(tmp_path / name, run)
    assert read_run(tmp_path / f"packed{suffix}") == run
    assert (tmp_path / f"packed{suffix}").stat().st_size < (tmp_path / "plain").stat().st_size / 3
    assert (tmp_path / f"packed{suffix}").read_bytes() == (tmp_path / f"again{suffix}").read_bytes()


def test_judging_keeps_every_answer_and_goes_on_where_it_was_left(home, tmp_path):
    (tmp_path / "t.jsonl").write_text('{"id": "t0", "lang": "de", "text": "Bienen"}\n')
    (tmp_path / "r.txt").write_text("".join(f"t0 Q0 {i}.de {i} {3 - i} r\n" for i in range(3)))
    command = (
        "judge",
        "-i",
        home / "idx",
        "--topics",
        "t.jsonl",
        "--qrels",
        "mine.txt",
        "--run",
        "r.txt",
        "--grades",
        "2",
    )
    first = xsearch(*command, cwd=tmp_path, stdin=b"7\nx\n2\nq\n")
    assert first.code == 0
    assert "1 judgment added" in first.err
    assert "t0: Bienen" in first.out
    assert len((tmp_path / "mine.txt").read_text().splitlines()) == 1
    # The one skipped is asked again another time; the input ends before it.
    second = xsearch(*command, cwd=tmp_path, stdin=b"s\n0\n")
    assert "1 judgment added" in second.err
    lines = (tmp_path / "mine.txt").read_text().splitlines()
    assert sorted(line.split()[3] for line in lines) == ["0", "2"]
    assert len({line.split()[2] for line in lines}) == 2
    assert "grade 0-2" in second.err


def test_a_suite_appends_results_and_its_page_can_be_checked(home, tmp_path):
    suite = tmp_path / "tiny.toml"
    suite.write_text(
        f'name = "tiny"\ntitle = "Tiny"\ncollections = ["{home.name}"]\nmeasures = ["nDCG@10", "share_same@10"]\n'
        'by = ["query_lang", "pair"]\n[[systems]]\nname = "words"\nrecipe = "bm25"\n'
    )
    # The collection is a folder; its path is relative to where the command runs.
    done = xsearch("evaluate", "--suite", suite, "--out", tmp_path / "res", cwd=home.parent)
    assert done.code == 0, done.err
    row = json.loads((tmp_path / "res" / "tiny.jsonl").read_text())
    assert row["pairs"]["same"] == {"pairs": 2, "nDCG@10": 1.0}
    assert row["pairs"]["cross"]["pairs"] == 2
    page = (tmp_path / "res" / "README.md").read_text()
    assert f"| {home.name} | words | 1.000 | " in page
    readme = tmp_path / "README.md"
    readme.write_text("# Mine\n\n<!-- results -->\nold\n<!-- /results -->\nend\n")
    check = ("results", "res", "--readme", "README.md", "--check")
    stale = xsearch(*check, cwd=tmp_path)
    assert stale.code == 1
    assert "README.md: not what the results say" in stale.err
    assert xsearch("results", "res", "--readme", "README.md", "--no-plots", cwd=tmp_path).code == 0
    assert xsearch(*check, cwd=tmp_path).code == 0
    text = readme.read_text()
    assert text.startswith("# Mine\n\n<!-- results -->\n| system |")
    assert text.endswith("\n<!-- /results -->\nend\n")
    readme.write_text("no markers")
    assert xsearch(*check, cwd=tmp_path).code == 3


def test_the_pages_that_ship_say_what_the_results_say():
    from xsearch.evaluate.results import START, drifted

    root = Path(__file__).parents[2]
    readme = root / "README.md"
    marked = START in readme.read_text(encoding="utf-8")
    assert drifted(root / "eval" / "results", readme if marked else None) == []


def test_answers_in_the_texts_of_an_index_or_of_files(home):
    pytest.importorskip("nltk")
    (home / "answers.jsonl").write_text('{"id": "t0", "answers": ["Pollen"]}\n{"id": "t1", "answers": ["Marmor"]}\n')
    asked = ["evaluate", "run.txt", "--answers", "answers.jsonl", "-m", "R@2kt", "-m", "Answer@1", "--by", "query_lang",
             "--format", "json"]  # fmt: skip
    form = scores(xsearch(*asked, "-i", "idx", cwd=home))
    assert form["measures"] == {"R@2kt": pytest.approx(1 / 3), "Answer@1": pytest.approx(2 / 3)}
    assert form["macro"]["query_lang"]["Answer@1"] == pytest.approx((0.5 + 1) / 2)
    assert scores(xsearch(*asked, "--docs", "docs.jsonl", cwd=home)) == form
    table = CliRunner().invoke(app, ["evaluate", str(home / "run.txt"), "--answers", str(home / "answers.jsonl"),
                                     "--docs", str(home / "docs.jsonl"), "--by", "query_lang"])  # fmt: skip
    assert re.search(r"mean +0\.", table.output)
    assert "Answer@100" in table.output
    assert "the documents' texts" in str(failed("evaluate", home / "run.txt", "--answers", home / "answers.jsonl"))


def test_a_fall_in_one_language_fails_although_the_mean_holds(home, tmp_path):
    base = ["evaluate", str(home / "run.txt"), "--qrels", str(home / "qrels.txt"), "-m", "RR"]
    form = json.loads(CliRunner().invoke(app, [*base, "--by", "query_lang", "--format", "json"]).stdout)
    (tmp_path / "base.json").write_text(json.dumps(form))
    assert CliRunner().invoke(app, [*base, "--check", str(tmp_path / "base.json")]).exit_code == 0
    form["by"]["query_lang"]["fr"]["RR"] += 0.02
    (tmp_path / "base.json").write_text(json.dumps(form))
    fallen = CliRunner().invoke(app, [*base, "--check", str(tmp_path / "base.json")])
    assert fallen.exit_code == 1
    assert "query_lang fr RR: expected" in fallen.output


def test_a_suite_is_held_against_its_results(home, tmp_path):
    (tmp_path / "tiny.toml").write_text(
        f'name = "tiny"\ntitle = "Tiny"\ncollections = ["{home}"]\nmeasures = ["RR"]\n[[systems]]\nname = "words"\n'
        'recipe = "bm25"\n'
    )
    asked = ["evaluate", "--suite", str(tmp_path / "tiny.toml")]
    assert CliRunner().invoke(app, [*asked, "--out", str(tmp_path / "out")]).exit_code == 0
    kept = tmp_path / "out" / "tiny.jsonl"
    assert CliRunner().invoke(app, [*asked, "--check", str(kept)]).exit_code == 0
    row = json.loads(kept.read_text())
    row["by"]["query_lang"]["fr"]["RR"] = 2.0
    kept.write_text(json.dumps(row) + "\n")
    fallen = CliRunner().invoke(app, [*asked, "--check", str(kept), "--collection", str(home)])
    assert fallen.exit_code == 1
    assert "words query_lang fr RR: expected 2.0000" in fallen.output


def test_runs_of_one_tag_are_told_apart_by_their_files(home, tmp_path):
    (tmp_path / "a.txt").write_text("t0 Q0 0.de 1 1 x\n")
    (tmp_path / "b.txt").write_text("t0 Q0 1.de 1 1 x\n")
    shown = xsearch("compare", "a.txt", "b.txt", "--qrels", home / "qrels.txt", cwd=tmp_path)
    assert shown.code == 0
    assert re.search(r"nDCG@10 +a\.txt +\d\.\d+ +b\.txt ", shown.out)


def test_intervals_have_a_column_where_they_are_asked_for(home):
    asked = ("evaluate", home / "run.txt", "--qrels", home / "qrels.txt", "-m", "nDCG@10")
    assert "95 %" not in xsearch(*asked, cwd=home).out
    assert re.search(r"\d\.\d{3} to \d\.\d{3}", xsearch(*asked, "--intervals", cwd=home).out)


def test_topics_of_which_nothing_is_left_are_named(home, tmp_path):
    asked = ("--ids", "t1,t9", "--lang", "fr")
    kept = xsearch("topics", "subset", home / "topics.jsonl", "few.jsonl", *asked, cwd=tmp_path)
    assert "nothing of 1 topic asked for: t9" in kept.err
    assert "1 topic kept" in kept.err
    (tmp_path / "a.txt").write_text("t1@de Q0 x 1 1 a\n")
    assert "nothing of" not in xsearch("runs", "subset", "a.txt", "b.txt", "--ids", "t1", cwd=tmp_path).err
