"""The reader of what stage `report` shows: its text files, bound into one to be mutated."""

from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

from harmless_page import require_harmless
from hostile_words import WORDS, Reader
from made_up_results import HOSTILE, made_up, write

from pipeline import figures, report, report_inputs

FILES = (
    *(f"models/{name}" for name in ("adapted/card.json", "adapted/training.csv")),
    *(f"results/{name}" for name in ("metrics.json", "predictions.csv", "confusion.csv")),
    *("results/embedding.csv", "models/source/training.csv", "results/retrieval.json"),
    *("results/retrieval.csv", "results/domains.csv"),
)
_BEGINS = b"\n--- %s\n"


def bound(folder: Path) -> bytes:
    """The files of a folder as one, each behind a line with its name."""
    return b"".join(_BEGINS % name.encode() + (folder / name).read_bytes() for name in FILES)


def _unbound(folder: Path, content: bytes) -> None:
    """Writes the files again; one whose name is not found is empty."""
    for name in FILES:
        _, _, rest = content.partition(_BEGINS % name.encode())
        (folder / name).write_bytes(rest.partition(b"\n--- ")[0])


def _samples(folder: Path) -> list[bytes]:
    samples = []
    for number, (classes, labelled) in enumerate(
        [(["run", "wave"], True), (HOSTILE[:2], True), (["run", "wave"], False)]
    ):
        results = made_up(classes, videos=4, seeds=2, labelled=labelled, epochs=2)
        write(results, folder / f"made-{number}")
        samples.append(bound(folder / f"made-{number}"))
    return samples


def _report(folder: Path) -> object:
    _unbound(folder, (folder / "bound").read_bytes())
    results = report_inputs.read()
    drawn = figures.figures(results)
    for name, svg in drawn.items():
        assert name.isidentifier(), name  # files are named so
        ElementTree.fromstring(svg)
    require_harmless(report.page(results, drawn))
    return drawn


def _folders(folder: Path) -> None:
    """A place for the files, and beside them what is no text: others fuzz such files."""
    write(made_up(["run", "wave"], videos=4, seeds=2, epochs=2), folder)


_MARKUP = (
    *(b"</td><script>a()</script>", b'"><img src=x onerror=a()>', b"'><svg onload=a()>"),
    *(b"</text></svg><script>a()</script>", b"]]><script>a()</script>", b"&lt;script&gt;"),
    *(b"javascript:a()", b"{{ ''.__class__ }}", b"</style><script>a()</script>"),
)
_VALUES = [
    *b'NaN Infinity -Infinity 1e999 -1e300 1e-320 null true [] {} "" -1 0 2 "seeds": 0.5'.split(),
    *b'"classes": "labelled_test_videos": "per_class": "label_free": ,, test source_only'.split(),
    *(b"\n--- results/metrics.json\n", b"[" * 20, b'{"a":' * 20, b"\n\n", b"\n0,0,,\n"),
]
RESULTS: Mapping[str, Reader] = {
    "report": Reader("bound", _samples, _report, (*WORDS, *_MARKUP, *_VALUES), _folders)
}
