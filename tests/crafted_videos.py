"""Files that are called videos, and name other files, or are none."""

from collections.abc import Callable, Mapping
from pathlib import Path

from hostile_means import Crafted


def _lists(folder: Path) -> Crafted:
    secret = folder.parent / "outside/secret.mp4"
    return {
        "playlist": b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1:9/a.ts\n",
        "list": f"ffconcat version 1.0\nfile {secret}\n".encode(),
        "description": b"v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\nc=IN IP4 127.0.0.1\n",
        "script": b"#!/bin/sh\nmkdir executed\n",
        "page": b"<script>mkdir('executed')</script>",
        "empty": b"",
    }


VIDEOS: Mapping[str, Callable[[Path], Crafted]] = {"predict": _lists, "inspect": _lists}
