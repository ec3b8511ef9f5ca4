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

import pipeline.stages
from pipeline import command_line, engine, paths, prediction_page, tables
from pipeline.datasets.disk import videos_below
from pipeline.errors import UserError
from pipeline.html import printable
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
    unsure = "unsure: " if said.unsure else ""
    return printable(f"{name}  {unsure}{classes}  ({said.seconds:.1f} s)")


def row(said: Prediction, top: int) -> tables.Row:
    """The same as a row of a table."""
    cells: dict[str, tables.Cell] = {"path": str(said.path), "unsure": str(said.unsure).lower()}
    for place in range(min(top, len(said.classes))):
        cells[f"class_{place + 1}"] = said.classes[place]
        cells[f"probability_{place + 1}"] = said.probabilities[place]
    return tables.rounded(cells)


def labelled(
    predictor: Predictor,
    videos: Sequence[Path],
    failures: list[engine.Failure[Path]],
    workers: int | None,
) -> tuple[list[Prediction], bool]:
    """What the model says, in the order of the videos, and whether it has seen all of them.

    It has not if Ctrl-C came.
    """
    said, all_of_them = list[Prediction](), True
    try:
        for one in predictor.many(videos, failures, workers):
            said.append(one)
    except KeyboardInterrupt:
        all_of_them = False
    place = {path: number for number, path in enumerate(videos)}
    return sorted(said, key=lambda one: place[one.path]), all_of_them


def _options() -> argparse.Namespace:
    parser = command_line.parser("predict", __doc__)
    parser.add_argument("videos", nargs="+", type=Path, metavar="VIDEO_OR_FOLDER")
    parser.add_argument("--model", type=Path, default=paths.ADAPTED_MODEL)
    parser.add_argument("--top", type=int, default=5, help="classes of each video that are told")
    parser.add_argument("--csv", type=Path, help="write a table")
    parser.add_argument("--html", type=Path, help="write a page with a picture of each video")
    parser.add_argument("--workers", type=int, help="processes; one a core by default")
    return parser.parse_args()


def main() -> None:
    """Predicts, prints, and writes what is asked for."""
    options = _options()
    videos, predictor = found(options.videos), Predictor.load(options.model)
    if predictor.temperature is None:
        print(
            "scores are not calibrated: no labelled video of the target told how", file=sys.stderr
        )
    failures = list[engine.Failure[Path]]()
    said, all_of_them = labelled(predictor, videos, failures, options.workers)
    for one in said:
        print(line(one, options.top), flush=True)
    if options.csv and (said or all_of_them):
        tables.write(options.csv, [row(one, options.top) for one in said])
    if options.html and (said or all_of_them):
        prediction_page.write(options.html, said, failures, predictor, options.top)
    bad = [f"  {failure.item}  {failure.reason}" for failure in failures]
    count = len(videos)
    told = [f"{len(bad)} of {count} videos cannot be used:", *sorted(bad)] if bad else []
    if not all_of_them:
        done = f"interrupted: {len(said)} of {count} videos are labelled, told and kept"
        raise KeyboardInterrupt(UserError("\n".join([done, *told])))
    if told:
        raise UserError("\n".join(told))


if __name__ == "__main__":
    pipeline.stages.run(main, "interrupted: nothing more is told or written")
