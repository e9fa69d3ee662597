"""A question asked in a fresh process: `xsearch query` on the demo's index, beside what only imports NumPy.

    python eval/bench/cold.py [--runs 10]

Index and compiled files are there before, as after a first question. Runs of both alternate; of each the least and the
median of the processor's time and of the wall's. On a machine with other work the least of the processor's is the one
to compare. The row goes to `eval/results/cold.jsonl`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
QUESTION = "wie funktionieren Impfungen"


def taken(command: list[str]) -> tuple[float, float]:
    """Seconds of the processor and of the wall that a command takes. Raises `CalledProcessError` where it fails."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def measured(commands: dict[str, list[str]], runs: int) -> dict[str, dict[str, float]]:
    """Of each command the times of `runs` runs, after one that does not count."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for run in range(runs + 1):
        for name, command in commands.items():
            found = taken(command)
            if run:
                times[name].append(found)
    return {
        name: {
            f"{kind}_{called}_ms": round(1000 * of(column), 1)
            for kind, column in zip(("cpu", "wall"), zip(*rows, strict=True), strict=True)
            for called, of in (("least", min), ("median", statistics.median))
        }
        for name, rows in times.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--results", type=Path, default=ROOT / "eval" / "results" / "cold.jsonl")
    given = parser.parse_args()
    from xsearch.engine.demo import build_demo

    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as scratch:
        build_demo(Path(scratch) / "demo").close()
        query = [sys.executable, "-m", "xsearch", "query", QUESTION, "-i", f"{scratch}/demo"]
        commands = {
            "query": query,
            "query --rerank none": [*query, "--rerank", "none"],
            "import numpy": [sys.executable, "-c", "import numpy"],
        }
        load = os.getloadavg()[0]
        found = measured(commands, given.runs)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    row = {
        "bench": "cold",
        **found,
        "cpu_ratio_to_numpy": round(found["query"]["cpu_least_ms"] / found["import numpy"]["cpu_least_ms"], 2),
        "runs": given.runs,
        "command": f"python eval/bench/cold.py --runs {given.runs}",
        "commit": commit.stdout.strip(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "load": round(load, 1),
        "date": time.strftime("%Y-%m-%d"),
    }
    with given.results.open("a", encoding="utf-8") as out:
        out.write(json.dumps(row) + "\n")
    print(json.dumps(row, indent=1))


if __name__ == "__main__":
    main()
