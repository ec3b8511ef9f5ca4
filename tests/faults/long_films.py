"""Films of any length in seconds of work: the packets of a short one, time and again."""

from pathlib import Path
from typing import Any

import av
import films
import numpy as np

SECONDS = 2  # of the film that is repeated


def repeated(path: Path, *, hours: float, size: tuple[int, int], fps: int) -> Path:
    """A film whose two seconds come back until `hours` are over: a bright square that moves."""
    width, height = size
    views = [np.full((height, width, 3), 60, np.uint8) for _ in range(SECONDS * fps)]
    for step, view in enumerate(views):
        view[height // 2 :, 8 * step :][:64, :64] = 200
    short = path.with_name(f".{path.stem}.part{path.suffix}")
    path.parent.mkdir(parents=True, exist_ok=True)
    films.write_pictures(
        short, views, fps=fps, gop=SECONDS * fps, codec_options={"preset": "ultrafast"}
    )
    with av.open(str(short)) as source, av.open(str(path), "w") as target:
        film: Any = source.streams.video[0]
        stream: Any = target.add_stream_from_template(film)
        packets: list[Any] = [packet for packet in source.demux(film) if packet.size]
        contents = [bytes(packet) for packet in packets]
        length = int(SECONDS / film.time_base)
        for turn in range(round(hours * 3600 / SECONDS)):
            for content, model in zip(contents, packets, strict=True):
                packet: Any = av.Packet(content)
                packet.stream, packet.time_base = stream, film.time_base
                packet.pts, packet.dts = model.pts + turn * length, model.dts + turn * length
                packet.duration, packet.is_keyframe = model.duration, model.is_keyframe
                target.mux(packet)
    short.unlink()
    return path
