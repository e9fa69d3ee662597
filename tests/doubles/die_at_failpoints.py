"""Die at every failpoint in turn, each time in a forked process; print what the survivors found, a JSON line each.

    python die_at_failpoints.py BASE SCRATCH

BASE is an index at commit 2 of the model. This process only forks, so that it has no threads to fork.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from doubles.engine_model import apply, observed, problems

import xsearch
import xsearch.engine
import xsearch.lang
from xsearch.engine import compact
from xsearch.storage import check_index, failpoints

DIED = 77


def in_fork(action) -> int:
    """Run `action` in a child; its exit status."""
    child = os.fork()
    if child == 0:
        try:
            action()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def operate(folder: Path, point: str, operation: str) -> None:
    # Abrupt: no handler, no flush, no unlock in Python.
    failpoints.arm(point, lambda: os._exit(DIED))
    if operation == "compact":
        compact(folder)
    else:
        with xsearch.open(folder).writer() as writer:
            apply(writer, 3)


def survive(folder: Path, operation: str, report: Path) -> None:
    allowed = [2, 3] if operation == "commit" else [2]
    problem = problems(observed(xsearch.open(folder)), allowed)
    problem = problem or "; ".join(p.message for p in check_index(folder) if p.level == "error")
    index = xsearch.open(folder)
    with index.writer() as writer:
        apply(writer, 3)
    problem = problem or problems(observed(index), [3])
    report.write_text(problem)


def main() -> None:
    base, scratch = Path(sys.argv[1]), Path(sys.argv[2])
    for operation in ("commit", "compact"):
        for point in failpoints.POINTS:
            folder = scratch / f"{operation}-{point}"
            shutil.copytree(base, folder)
            status = in_fork(lambda f=folder, p=point, o=operation: operate(f, p, o))
            report = scratch / "report"
            report.write_text("the survivor did not finish")
            outcome = {"operation": operation, "point": point, "died": status == DIED, "problem": ""}
            if status == DIED:
                in_fork(lambda f=folder, o=operation, r=report: survive(f, o, r))
                outcome["problem"] = report.read_text()
            elif status != 0:
                outcome["problem"] = f"ended with {status} instead of dying"
            print(json.dumps(outcome), flush=True)
            shutil.rmtree(folder)


main()
