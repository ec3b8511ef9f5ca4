"""Nodes of a Ray cluster on this machine, and how their processes are killed."""

import os
import time
from collections.abc import Callable
from typing import Any

import psutil

WAIT = 240  # seconds
# Before Ray is imported: no token is asked for, and on a busy machine daemons may start slowly.
ENVIRONMENT = {
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_agent_register_timeout_ms": "300000",
    "RAY_gcs_server_request_timeout_seconds": "300",
    "RAY_health_check_timeout_ms": "60000",
    "RAY_raylet_start_wait_time_s": "300",
    "RAY_worker_register_timeout_seconds": "300",
}
os.environ.update(ENVIRONMENT)


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Waits for something that comes about by itself."""
    end = time.monotonic() + WAIT
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"after {WAIT} s: not {what}")
        time.sleep(0.05)


def at_work(node: Any) -> list[psutil.Process]:
    """A node's processes that have a task of ours."""
    return [child for child in _below(node) if _title(child).startswith("ray::_")]


def kill(node: Any) -> None:
    """Ends all of a node at once, as a power cut does."""
    doomed = _below(node)
    for process in doomed:
        process.suspend()  # so that none notices that another is gone
    for process in doomed:
        process.kill()


def daemons() -> set[int]:
    """Ray's processes on this machine that are alive."""
    return {
        process.pid
        for process in psutil.process_iter(["name", "status"])
        if process.info["name"] in ("raylet", "gcs_server")
        if process.info["status"] != psutil.STATUS_ZOMBIE
    }


def _below(node: Any) -> list[psutil.Process]:
    """The node's own process, raylet, and what it has started."""
    (info,) = node.all_processes["raylet"]
    raylet = psutil.Process(info.process.pid)
    return [raylet, *raylet.children(recursive=True)]


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""
