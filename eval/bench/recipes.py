"""Every neural recipe that ships, by the commands a person types: trained at toy size, indexed with, and asked.

    python eval/bench/recipes.py --data ../shared/data [--steps 12] [--only dap,c3] [--ask dap] [--files udhr,un_sdg]

It shows that each recipe runs on real data from end to end; some steps of two thin layers show nothing of how good it
is. Each recipe appends a row to `eval/results/recipes.jsonl`: what was measured before the first step and after the
last, of held-out texts and of the collection that ships; that collection's nDCG@10 as an index made with the result
answers its topics (`xsearch index`, then `evaluate`), and a question's first documents; the seconds of the processor.
Ends with 1 where one failed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from typer.testing import CliRunner

from xsearch.cli.app import app
from xsearch.core.data import data_path
from xsearch.train.neural.recipe import load_neural_recipe

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = {"dense": "encoder", "multivector": "colbert", "sparse": "sparse"}
QUESTION, MEASURE = "presidential elections in Iran", "nDCG@10"


def recipes() -> list[str]:
    """The names of the recipes that stages of objectives make up."""
    folder = data_path("encoders") / "recipes"
    return sorted(path.stem for path in folder.glob("*.toml") if "[[stages]]" in path.read_text(encoding="utf-8"))


def xsearch(*arguments: str) -> tuple[str, str, float]:
    """A command line as `main` runs it, in this process, which has torch imported already: what it printed, what went
    wrong ("" for nothing), and the seconds of the processor that it took."""
    before = time.process_time()
    done = CliRunner().invoke(app, arguments)
    wrong = "" if done.exit_code == 0 else f"{done.exception!r} {done.stderr.strip()[-600:]}"
    return done.stdout, wrong, round(time.process_time() - before, 1)


def some_of(data: Path, files: list[str], folder: Path) -> Path:
    """A data folder with these files of parallel text and lexicons only, and all of evaluation."""
    (folder / "eval").symlink_to(data / "eval")
    for kind in ("parallel", "lexicons"):
        (folder / kind).mkdir()
        for path in data.glob(f"{kind}/*.jsonl*"):
            if path.name.partition(".jsonl")[0] in files:
                (folder / kind / path.name).symlink_to(path)
    return folder


def tried(name: str, data: Path, steps: int, folder: Path, asks: bool) -> dict[str, Any]:
    """Train, and index and ask if `asks`: a row, with "failed" where a command did."""
    kind = load_neural_recipe(Path(name)).model.kind
    train = ("train", COMMANDS[kind], "--recipe", name, "--toy", "--steps", str(steps), "--data", str(data))
    row: dict[str, Any] = {"bench": "recipes", "size": "toy", "recipe": name, "kind": kind, "steps_a_stage": steps}
    demo = ROOT / "eval" / "collections" / "demo"
    train += ("--evaluate", str(demo))
    retriever = {"dense": "dense", "multivector": "colbert", "sparse": "sparse"}[kind]
    index = str(folder / "index")
    _, wrong, row["train_cpu_seconds"] = xsearch(*train, "--out", str(folder / "trained"))
    if wrong:
        return row | {"failed": wrong}
    log = [json.loads(line) for line in next((folder / "trained").glob("*.log.jsonl")).read_text().splitlines()]
    row["before"], row["after"] = ({k: round(v, 4) for k, v in log[n].items() if isinstance(v, float)} for n in (0, -1))
    if not asks:
        return row
    made_with = ("--recipe", retriever, "--encoder", str(folder / "trained"))
    indexing = ("index", str(demo / "docs.jsonl"), "-i", index, *made_with)
    _, wrong, row["index_cpu_seconds"] = xsearch(*indexing)
    if wrong:
        return row | {"failed": wrong}
    asked = ("query", QUESTION, "-i", index, "--retrievers", retriever, "--format", "json", "-k", "3")
    found, wrong, _ = xsearch(*asked)
    if wrong:
        return row | {"failed": wrong}
    judged = ("--topics", str(demo / "topics.jsonl"), "--qrels", str(demo / "qrels.txt"), "-m", MEASURE)
    scored, wrong, _ = xsearch("evaluate", "-i", index, *judged, "--format", "json")
    if wrong:
        return row | {"failed": wrong}
    figure = json.loads(scored)["measures"][MEASURE]
    return row | {"found": [hit["id"] for hit in json.loads(found)["hits"]], "demo": {MEASURE: round(figure, 4)}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--steps", type=int, default=12, help="of each stage")
    parser.add_argument("--only", default="", help="names, with commas")
    parser.add_argument("--ask", default="", help="names of those to index with and to ask; all where none is named")
    parser.add_argument("--files", default="", help="of training text, without .jsonl; all where none is named")
    parser.add_argument("--results", type=Path, default=ROOT / "eval" / "results" / "recipes.jsonl")
    given = parser.parse_args()
    if not given.data.is_dir():
        sys.exit(f"no data at {given.data}: point at it with --data")
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    failed = []
    scratch = tempfile.TemporaryDirectory()
    data = given.data.resolve()
    if given.files:
        data = some_of(data, given.files.split(","), Path(scratch.name))
    for name in given.only.split(",") if given.only else recipes():
        with tempfile.TemporaryDirectory() as folder:
            row = tried(name, data, given.steps, Path(folder), not given.ask or name in given.ask.split(","))
        failed += [name] if "failed" in row else []
        row |= {
            "commit": commit.stdout.strip(),
            "date": time.strftime("%Y-%m-%d"),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
            "load": round(os.getloadavg()[0], 1),
            "files": given.files or "all",
            "command": f"python eval/bench/recipes.py --data ../shared/data --steps {given.steps} --only {name}"
            + (f" --files {given.files}" if given.files else ""),
        }
        with given.results.open("a", encoding="utf-8") as out:
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
        said = row.get("failed") or f"{row['before']} → {row['after']}, found {row.get('found')}"
        sys.stderr.write(f"{time.strftime('%H:%M:%S')} {name}, {row['train_cpu_seconds']} s: {said}\n")
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
