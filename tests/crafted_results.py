"""What stage `report` shows, of another form, of several runs, or with numbers that are none."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hostile_means import Crafted
from hostile_results import bound
from made_up_results import made_up, write

CARD, METRICS = "models/adapted/card.json", "results/metrics.json"
_DEEP = json.loads('{"a":' * 200 + "1" + "}" * 200)
_JSON: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "no classes": (CARD, {"classes": []}),
    "a class twice": (CARD, {"classes": ["run", "run"]}),
    "other classes": (CARD, {"classes": ["jump", "swim"]}),
    "numbers for classes": (CARD, {"classes": [1, 2]}),
    "no seeds": (CARD, {"seeds": []}),
    "bottomless": (CARD, {"features": _DEEP}),
    "no training": (CARD, {"training": None}),
    "text for accuracies": (CARD, {"training": {"pretrain": {"source": "a", "test_accuracy": ""}}}),
    "text for metrics": (METRICS, {"adapted": "<script>"}),
    "no label-free scores": (METRICS, {"adapted": {"label_free": {}}}),
    "pictures elsewhere": (
        CARD,
        {
            "training": {
                "pretrain": {"source": "../../etc", "test_accuracy": {}},
                "adapt": {"target": "street", "method": "mtran", "warnings": {}},
            }
        },
    ),
    "shares of all": ("results/retrieval.json", {"nearest_same_class": {"adapted": 1e300}}),
    "many videos": (METRICS, {"labelled_test_videos": "9" * 5000}),
    "fewer than none": (METRICS, {"labelled_test_videos": -1}),
}
_CELLS = {
    "sure beyond all": ("results/predictions.csv", "0.75", "1e300"),
    "sure of nothing": ("results/predictions.csv", "0.75", "nan"),
    "a class of others": ("results/predictions.csv", ",run,", ",<script>,"),
    "no test video": ("results/predictions.csv", ",test,", ",train,"),
    "confused with others": ("results/confusion.csv", ",run", ",swim"),
    "point nowhere": ("results/embedding.csv", ",1", ",inf"),
    "model of others": ("results/embedding.csv", "adapted", "../adapted"),
    "found nowhere": ("results/retrieval.csv", ",0.75", ",-inf"),
    "found for others": ("results/retrieval.csv", ",run/0.mp4,", ",../run,"),
    "domain of others": ("results/domains.csv", ",street,", ",<script>,"),
    "epoch without end": ("models/adapted/training.csv", ",1,", f",{'9' * 400},"),
    "path for a column": ("models/source/training.csv", "cross_entropy", "../../outside/x"),
    "option for a column": ("models/source/training.csv", "cross_entropy", "-rf"),
    "text for a loss": ("models/source/training.csv", ",1.0", ",<b>"),
}


def _results(folder: Path) -> Crafted:
    """The whole results of a labelled target with one thing changed."""
    whole = folder / "made-whole"
    write(made_up(["run", "wave"], videos=4, seeds=2, epochs=2), whole)
    crafted = {}
    for name, (place, change) in _JSON.items():
        old = (whole / place).read_text()
        (whole / place).write_text(json.dumps(json.loads(old) | change))
        crafted[name] = bound(whole)
        (whole / place).write_text(old)
    for name, (place, one, other) in _CELLS.items():
        old = (whole / place).read_text()
        assert one in old
        (whole / place).write_text(old.replace(one, other))
        crafted[name] = bound(whole)
        (whole / place).write_text(old)
    return crafted


RESULTS: Mapping[str, Callable[[Path], Crafted]] = {"report": _results}
