"""What a neural training says on stderr while it goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xsearch.cli.progress import Progress, say

if TYPE_CHECKING:
    from xsearch.train.progress import OnProgress
    from xsearch.train.progress import Progress as Step


def reporter(progress: Progress) -> OnProgress:
    """Shows steps on `progress`, with their losses; notes and measures as lines of their own."""

    def report(step: Step) -> None:
        if not step.measures:
            unit = "texts" if step.stage == "mine" else "steps"
            progress.stage(f"{step.within} {step.stage}", unit, step.total, step.done)
        if step.note:
            say(f"{step.within}: {step.note}" if step.within else step.note, progress)
        elif step.measures:
            found = ", ".join(f"{name} {value:.3f}" for name, value in step.measures.items())
            where = f"{step.within}, step" if step.within else "step"
            say(f"{where} {step.done:,}: {found}", progress)
        elif step.stage != "read":
            progress.update(step.done, f" ({_detail(step)})")

    return report


def _detail(step: Step) -> str:
    if not step.parts:
        return step.within or step.stage
    losses = ", ".join(f"{name} {value:.3f}" for name, value in step.parts.items())
    where = f"{step.within}: " if step.within else ""
    return f"{where}{losses}, {step.pairs_per_second:,.0f} texts/s"
