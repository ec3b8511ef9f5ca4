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
        stream: Any = target.add_stream_from_template(source.streams.video[0])
        packets = [
            (bytes(packet), packet.pts, packet.dts, packet.duration, packet.is_keyframe)
            for packet in source.demux(video=0)
            if packet.size
        ]
        tick = source.streams.video[0].time_base
        length = int(SECONDS / tick)
        for turn in range(round(hours * 3600 / SECONDS)):
            for content, pts, dts, duration, key in packets:
                packet = av.Packet(content)
                packet.stream, packet.time_base, packet.duration = stream, tick, duration
                packet.pts, packet.dts = pts + turn * length, dts + turn * length
                packet.is_keyframe = key
                target.mux(packet)
    short.unlink()
    return path
