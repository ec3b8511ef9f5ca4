"""Labels videos with an adapted model; see docs/predict.md.

    python -m pipeline.predict VIDEO_OR_FOLDER ... [--model models/adapted] [--top 5]
        [--csv OUT.csv] [--html OUT.html] [--workers N]

Folders are searched for videos. Files that cannot be used are told at the end, after all others
are done, and make the command fail.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline import engine, paths, prediction_page, stages, tables
from pipeline.datasets.disk import videos_below
from pipeline.errors import UserError
from pipeline.predictor import Prediction, Predictor

SHOWN = 60  # characters of a path


def found(given: Sequence[Path]) -> list[Path]:
    """The files given, and the videos in the folders given, each once.

    Raises UserError: a folder without a video, or nothing of that name.
    """
    videos: list[Path] = []
    for path in given:
        if path.is_dir():
            inside = [path / name for name in videos_below(path)]
            if not inside:
                raise UserError(f"{path}: no video in this folder")
            videos += inside
        elif path.exists():
            videos.append(path)
        else:
            raise UserError(f"{path}: no such file or folder")
    return list(dict.fromkeys(videos))


def line(said: Prediction, top: int) -> str:
    """What a model says of a video, on one line."""
    name = str(said.path)
    name = name if len(name) <= SHOWN else "…" + name[1 - SHOWN :]
    likely = zip(said.classes[:top], said.probabilities[:top], strict=True)
    classes = ", ".join(f"{label} {share:.0%}" for label, share in likely)
    return f"{name}  {'unsure: ' if said.unsure else ''}{classes}  ({said.seconds:.1f} s)"


def row(said: Prediction, top: int) -> tables.Row:
    """The same as a row of a table."""
    cells: dict[str, tables.Cell] = {"path": str(said.path), "unsure": str(said.unsure).lower()}
    for place in range(min(top, len(said.classes))):
        cells[f"class_{place + 1}"] = said.classes[place]
        cells[f"probability_{place + 1}"] = said.probabilities[place]
    return tables.rounded(cells)


def main() -> None:
    """Predicts, prints, and writes what is asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.predict",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("videos", nargs="+", type=Path, metavar="VIDEO_OR_FOLDER")
    parser.add_argument("--model", type=Path, default=paths.ADAPTED_MODEL)
    parser.add_argument("--top", type=int, default=5, help="classes of each video that are told")
    parser.add_argument("--csv", type=Path, help="write a table")
    parser.add_argument("--html", type=Path, help="write a page with a picture of each video")
    parser.add_argument("--workers", type=int, help="processes; one a core by default")
    options = parser.parse_args()
    videos, predictor = found(options.videos), Predictor.load(options.model)
    if predictor.temperature is None:
        print(
            "scores are not calibrated: no labelled video of the target told how", file=sys.stderr
        )
    failures = list[engine.Failure[Path]]()
    said = sorted(
        predictor.many(videos, failures, options.workers), key=lambda one: videos.index(one.path)
    )
    for one in said:
        print(line(one, options.top))
    if options.csv:
        tables.write(options.csv, [row(one, options.top) for one in said])
    if options.html:
        prediction_page.write(options.html, said, failures, predictor, options.top)
    if failures:
        told = [f"  {failure.item}  {failure.reason}" for failure in failures]
        raise UserError(
            f"{len(failures)} of {len(videos)} videos cannot be used:\n" + "\n".join(sorted(told))
        )


if __name__ == "__main__":
    stages.run(main, "interrupted: nothing is kept; name fewer videos, or let it finish")
