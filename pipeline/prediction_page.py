"""A page that shows what a model says of videos: one HTML file that needs nothing but itself."""

import base64
from collections.abc import Sequence
from pathlib import Path

import cv2

from pipeline import atomic, engine, html, video
from pipeline.errors import VideoError
from pipeline.predictor import Prediction, Predictor

HEIGHT = 96  # px of a picture, of its shorter side
QUALITY = 70  # of JPEG, of 100


def write(
    path: Path,
    said: Sequence[Prediction],
    failures: Sequence[engine.Failure[Path]],
    predictor: Predictor,
    top: int,
) -> None:
    """Writes the page, with the middle frame of each video."""
    page = (
        html.environment()
        .get_template("predictions.html")
        .render(
            rows=[(one, picture(one.path)) for one in said],
            failures=sorted(failures, key=lambda failure: failure.item),
            classes=predictor.card.classes,
            training=predictor.card.training,
            temperature=predictor.temperature,
            top=top,
        )
    )
    atomic.write_file(path, page)


def picture(path: Path) -> str | None:
    """The middle frame as a small JPEG, base64; None if it cannot be read any more."""
    size = round(HEIGHT * 224 / 256)  # `video.sample` takes the side of the crop
    try:
        sampled = video.sample(
            video.Section(path), lambda count: [count // 2], size=size, resize="crop"
        )
    except VideoError:
        return None
    colours = cv2.cvtColor(sampled.frames[0], cv2.COLOR_RGB2BGR)
    _, coded = cv2.imencode(".jpg", colours, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return base64.b64encode(coded.tobytes()).decode()
