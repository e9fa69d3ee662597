"""Read an index over and over while others write, comparing every part with the model: FOLDER STOPFILE.

Prints how many comparisons were made and how many different commits were seen; ends with 1 at the first wrong one.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from doubles.engine_model import observed, problems

import xsearch

folder, stop = Path(sys.argv[1]), Path(sys.argv[2])
index = xsearch.open(folder)
comparisons, commits = 0, set()
while not stop.exists():
    index.refresh()
    found = observed(index)
    wrong = problems(found, [found["commit"]])
    if wrong:
        sys.exit(f"commit {found['commit']}: {wrong}")
    comparisons += 1
    commits.add(found["commit"])
print(comparisons, len(commits))
