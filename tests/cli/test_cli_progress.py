"""The moving line: rate and time left are those of the stage that is under way."""

import io

from xsearch.cli import progress as module
from xsearch.cli.progress import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_stage_has_a_rate_of_its_own(monkeypatch):
    now, shown = [0.0], Terminal()
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(module.sys, "stderr", shown)
    progress = Progress("texts")
    progress.stage("tokenise", "texts", 1000)
    now[0] = 10.0
    progress.stage("tokenise", "texts", 1000, 500)
    progress.update(500)
    assert shown.getvalue().endswith("500 of 1,000 texts, 50/s, 10 s left")
    now[0] = 100.0
    # A run that goes on at step 300 has not done these in no time.
    progress.stage("train", "steps", 400, 300)
    now[0] = 110.0
    progress.update(350, " (train)")
    assert shown.getvalue().endswith("350 of 400 steps, 5/s, 10 s left (train)")
    assert progress.seconds == 110.0


def test_a_log_gets_a_line_a_minute(monkeypatch):
    now, shown = [0.0], io.StringIO()
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(module.sys, "stderr", shown)
    progress = Progress("steps", 300)
    for second in range(1, 131):
        now[0] = float(second)
        progress.update(second)
    progress.clear()
    assert shown.getvalue().splitlines() == ["60 of 300 steps, 1/s, 240 s left", "120 of 300 steps, 1/s, 180 s left"]
