"""Chromium by its DevTools protocol, over two pipes: what a page does, asks for, complains of."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any

EXECUTABLE = shutil.which("chromium") or shutil.which("google-chrome")
QUIET = ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars")
PIPES = 'exec "$@" 3<&"$TO_BROWSER" 4>&"$FROM_BROWSER"'  # where Chromium looks for them
COMPLAINTS = {  # what a page that is in order never causes
    "Log.entryAdded",
    "Page.javascriptDialogOpening",
    "Runtime.consoleAPICalled",
    "Runtime.exceptionThrown",
}


class Browser:
    """One tab of a browser with a profile of its own; to be used in a `with` statement."""

    def __init__(self, profile: Path) -> None:
        assert EXECUTABLE is not None
        theirs, self._to = os.pipe()
        self._from, answers = os.pipe()
        flags = (*QUIET, f"--user-data-dir={profile}", "--remote-debugging-pipe")
        self._process = subprocess.Popen(
            ["bash", "-c", PIPES, "bash", EXECUTABLE, *flags],
            env={**os.environ, "TO_BROWSER": str(theirs), "FROM_BROWSER": str(answers)},
            pass_fds=(theirs, answers),
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs)
        os.close(answers)
        self._asked, self._rest, self._tab = 0, b"", {}
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._tab = {"sessionId": session}
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def __enter__(self) -> "Browser":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._to)
        os.close(self._from)

    def call(self, method: str, **given: Any) -> dict[str, Any]:
        """Calls a method of the protocol. Raises AssertionError with what the browser says."""
        self._asked += 1
        message = {"id": self._asked, "method": method, "params": given, **self._tab}
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._asked:
                assert "error" not in answer, answer
                return dict(answer["result"])

    def _receive(self) -> dict[str, Any]:
        """The next message; kept if it is an event."""
        while b"\0" not in self._rest:
            read = os.read(self._from, 2**16)
            assert read, "the browser is gone"
            self._rest += read
        message, _, self._rest = self._rest.partition(b"\0")
        answer: dict[str, Any] = json.loads(message)
        if "method" in answer:
            self.events.append(answer)
        return answer

    def open(self, page: Path, width: int = 1280) -> None:
        """Shows a page in a window of this width, in px, until it is loaded."""
        size = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        for url in ("about:blank", page.as_uri()):  # a page of the same address would not load
            self.events.clear()
            self.call("Page.navigate", url=url)
            while not any(event["method"] == "Page.loadEventFired" for event in self.events):
                self._receive()

    def ask(self, expression: str) -> Any:
        """What a JavaScript expression gives."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def press(self, key: str, code: int) -> None:
        """Presses a key."""
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            named = {"key": key, "code": key, "windowsVirtualKeyCode": code}
            self.call("Input.dispatchKeyEvent", type=kind, **named, **text)

    @property
    def complaints(self) -> list[dict[str, Any]]:
        """Errors, warnings and dialogs since the page was opened."""
        return [event for event in self.events if event["method"] in COMPLAINTS]

    @property
    def requests(self) -> list[str]:
        """The addresses that were asked for since the page was opened, its own included."""
        asked = (e for e in self.events if e["method"] == "Network.requestWillBeSent")
        return [event["params"]["request"]["url"] for event in asked]
