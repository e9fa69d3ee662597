"""The moving line: rate and time left are those of the stage that is under way."""

import io

from xsearch.cli import progress as module
from xsearch.cli.progress import Progress
from xsearch.cli.training_progress import reporter
from xsearch.train.progress import Progress as Step


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


def test_what_takes_seconds_is_told_in_seconds(monkeypatch):
    now, shown = [0.0], Terminal()
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(module.sys, "stderr", shown)
    progress = Progress("steps", 400)
    now[0] = 50.0
    progress.update(20)
    assert shown.getvalue().endswith("20 of 400 steps, 2.5 s each, 950 s left")


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


def test_a_training_that_goes_on_has_the_rate_of_its_own_steps(monkeypatch):
    now, shown = [0.0], Terminal()
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(module.sys, "stderr", shown)
    report = reporter(Progress("steps"))
    report(Step("read"))
    assert shown.getvalue() == ""
    now[0] = 80.0
    report(Step("train", 300, 400, note="goes on behind step 300 of 400", within="retrieval"))
    now[0] = 100.0
    report(Step("train", 320, 400, within="retrieval", parts={"contrastive": 0.25}, pairs_per_second=32))
    line = "320 of 400 steps, 1/s, 80 s left (retrieval: contrastive 0.250, 32 texts/s)"
    assert shown.getvalue().endswith(line)
    assert "retrieval: goes on behind step 300 of 400\n" in shown.getvalue()
    report(Step("train", 0, 50, within="words"))
    now[0] = 110.0
    report(Step("evaluate", 30, 50, within="words", measures={"passages": 0.5}))
    report(Step("train", 40, 50, within="words", parts={"masked-words": 9.0}, pairs_per_second=64))
    assert "words, step 30: passages 0.500\n" in shown.getvalue()
    assert shown.getvalue().endswith("40 of 50 steps, 4/s, 2 s left (words: masked-words 9.000, 64 texts/s)")
