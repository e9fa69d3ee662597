"""Commit the model's states one after the other until killed: python write_on_and_on.py FOLDER"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from doubles.engine_model import apply

import xsearch

index = xsearch.open(sys.argv[1])
while True:
    with index.writer() as writer:
        apply(writer, writer.manifest.commit + 1)
