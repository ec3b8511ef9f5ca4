"""A page that sets experiments beside one another: one HTML file that needs nothing but itself."""

from collections import defaultdict
from collections.abc import Sequence

from markupsafe import Markup

from pipeline import comparison, html, sensitivity
from pipeline.comparison import Shown
from pipeline.experiments import Experiment
from pipeline.tables import Row

SHOWN = ("source_only", "adapted", "sd", "low", "high")  # shares


def page(found: Sequence[Experiment], rows: Sequence[Row]) -> str:
    """The page; rows are those of `compare.table`, one an experiment."""
    swept = sensitivity.sweeps(found)
    panels = {
        (pair, weight): Markup(
            comparison.sensitivity(f"sweep-{number}-{weight}", sweep, list(own.values()))
        )
        for number, (pair, own) in enumerate(swept.items())
        for weight, sweep in own.items()
    }
    environment = html.environment()
    environment.filters["percent"] = lambda share: f"{share:.1%}"
    return environment.get_template("comparison.html").render(
        rows=rows,
        tasks=sorted({one.task for one in found}),
        pictures=_pictures(rows),
        swept=swept,
        panels=panels,
        weights=sensitivity.WEIGHTS,
        least=sensitivity.LEAST,
    )


def _pictures(rows: Sequence[Row]) -> dict[str, Markup]:
    """The accuracies of each task that has any."""
    shown: dict[str, list[Shown]] = defaultdict(list)
    for row in rows:
        if row["adapted"] is not None:
            shown[str(row["task"])].append(Shown.of(row, ("method", "changed")))
    return {
        task: Markup(comparison.draw(f"accuracies-{number}", own))
        for number, (task, own) in enumerate(shown.items())
    }
