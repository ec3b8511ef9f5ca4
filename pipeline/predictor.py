"""A trained model and all that leads to its input, for anybody's videos.

    from pipeline.predictor import Predictor
    predictor = Predictor.load("models/adapted")
    print(predictor("clip.mp4").label)

What a model needs stands on its card: how videos are cut into clips, the flow, the backbone. So a
video's features here are those of the pipeline, bit for bit.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from pipeline import (
    backbones,
    calibration,
    checkpoints,
    engine,
    extraction,
    flow,
    params,
    paths,
    prediction,
)
from pipeline.checkpoints import Card
from pipeline.decoding import VideoDecoder
from pipeline.errors import UserError, VideoError
from pipeline.feature_extraction import Extract
from pipeline.features import Features
from pipeline.flow_extraction import FlowExtractor
from pipeline.index import Video
from pipeline.network import RelationNetwork
from pipeline.per_video import Job
from pipeline.video_clips import Streamed

UNSURE = 0.5  # below it, another class is as likely as the first


@dataclass(frozen=True)
class Prediction:
    """What a model says of one video: its classes, the likeliest first, and the time it took."""

    path: Path
    classes: tuple[str, ...]
    probabilities: tuple[float, ...]
    seconds: float

    @property
    def label(self) -> str:
        """The likeliest class."""
        return self.classes[0]

    @property
    def unsure(self) -> bool:
        """Whether the likeliest class is less likely than all others together."""
        return self.probabilities[0] < UNSURE


@dataclass(frozen=True)
class _Timed:
    """Extracts a video's features in a worker, and says how long it took."""

    extract: Extract

    def __call__(self, path: Path) -> tuple[bytes, float]:
        start = time.perf_counter()
        if not path.is_file():
            raise VideoError("no such file")
        row = Video(str(path), str(path), None, None, "test", sha256="")
        return self.extract(Job(row, "")), time.perf_counter() - start


@dataclass(frozen=True, eq=False)
class Predictor:
    """Models of all seeds, whose calibrated probabilities are averaged."""

    card: Card
    models: Mapping[int, RelationNetwork]
    extract: Extract
    temperature: float | None  # None: no labelled video has told, so scores are not calibrated

    @classmethod
    def load(cls, model: Path | str = paths.ADAPTED_MODEL) -> "Predictor":
        """Reads a model's folder, and the backbone's weights from models/<backbone>.

        Raises UserError: no model there, features that nothing here can extract, weights that are
        missing or others than those that the model was trained on.
        """
        card, models = checkpoints.load(Path(model))
        extract = extractor_of(card)
        card.require_features(extract.provenance(), paths.backbone(extract.name))
        return cls(card, models, extract, known_temperature(Path(model)))

    def __call__(self, path: Path | str) -> Prediction:
        """What the model says of one video. Raises VideoError if it cannot be used."""
        return self._said(Path(path), *_Timed(self.extract)(Path(path)))

    def many(
        self,
        videos: Sequence[Path],
        failures: list[engine.Failure[Path]],
        workers: int | None = None,
    ) -> Iterator[Prediction]:
        """Predictions as they are done, by processes; videos that cannot be used: `failures`."""
        work = _Timed(self.extract)
        found = engine.results(work, videos, failures, label="predict", workers=workers)
        for path, (content, seconds) in found:
            yield self._said(path, content, seconds)

    def _said(self, path: Path, content: bytes, seconds: float) -> Prediction:
        row = extraction.read_entry("", content)
        streams = (torch.from_numpy(part.mean(axis=1))[None] for part in (row.rgb, row.flow))
        features = Features((str(path),), *streams)
        logits = [prediction.predict(model, features).logits for model in self.models.values()]
        likely = calibration.probabilities(torch.stack(logits).double(), self.temperature or 1.0)[0]
        order = likely.argsort(descending=True, stable=True)
        classes = tuple(self.card.classes[number] for number in order.tolist())
        return Prediction(path, classes, tuple(likely[order].tolist()), seconds)


def extractor_of(card: Card) -> Extract:
    """What makes features like those that a model was trained on.

    Raises UserError: the features were imported, or the card does not say how they were made.
    """
    made = card.features
    if made.get("features", {}).get("backbone") == "imported":
        raise UserError(
            "this model was trained on imported features; what extracted them is not known here, "
            "so it cannot predict from videos"
        )
    try:
        features = params.Features.model_validate(made["features"])
        clips = params.Clips.model_validate(made["frames"]["clips"])
        decode = params.Decode.model_validate(made["frames"]["decode"])
        computed = flow.implementation_of(made["flow"]["algorithm"]["variant"])
        bound = float(made["flow"]["bound"])
    except (KeyError, TypeError, ValueError) as fault:
        raise UserError(f"card.json does not say how features are made ({fault!r})") from None
    flow.compile_ahead(computed)
    source = Streamed(VideoDecoder(Path(), clips, decode), FlowExtractor(computed, bound))
    name: backbones.Name = features.backbone  # type: ignore[assignment]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return Extract(source, name, paths.backbone(name), features, device)


def known_temperature(model: Path) -> float | None:
    """The temperature that stage `evaluate` found for the adapted model, if labels were there."""
    if model.resolve() != paths.ADAPTED_MODEL.resolve():
        return None
    try:
        metrics: Any = json.loads((paths.RESULTS / "metrics.json").read_text(encoding="utf-8"))
        return float(metrics["adapted"]["temperature"])
    except (OSError, KeyError, TypeError, ValueError):
        return None
