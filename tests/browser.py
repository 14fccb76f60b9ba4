"""A headless Chromium for tests, driven by its DevTools protocol: no driver has to be installed."""

import base64
import json
import shutil
import subprocess
import time
from itertools import count
from pathlib import Path

from websockets.sync.client import connect

CHROMIUM = shutil.which("chromium")
OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--remote-debugging-port=0", "--autoplay-policy=no-user-gesture-required"),
)


class Browser:
    """One tab; keeps what its console says."""

    def __init__(self, folder: Path) -> None:
        profile = folder / "browser"
        self.process = subprocess.Popen(
            [CHROMIUM, *OPTIONS, f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.complaints: list[str] = []
        self._ids = count(1)
        port, place = _read_port(profile / "DevToolsActivePort", self.process)
        self.socket = connect(f"ws://127.0.0.1:{port}{place}", max_size=None)
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        found = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self.session = found["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    session: str | None = None

    def send(self, method: str, **params: object) -> dict:
        """Ask the browser; answer what it answers."""
        number = next(self._ids)
        message = {"id": number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        self.socket.send(json.dumps(message))
        while True:
            found = json.loads(self.socket.recv())
            self._listen(found)
            if found.get("id") == number:
                assert "error" not in found, found
                return found["result"]

    def _listen(self, found: dict) -> None:
        params = found.get("params", {})
        if found.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(str(params["exceptionDetails"]))
        elif found.get("method") == "Runtime.consoleAPICalled" and params["type"] == "error":
            self.complaints.append(str(params["args"]))
        elif found.get("method") == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.complaints.append(f"{params['entry']['text']} {params['entry'].get('url')}")

    def run(self, script: str) -> object:
        """The value of an expression in the page; promises are waited for."""
        answer = self.send(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, script: str) -> None:
        """Wait until an expression is something; pytest's own limit is the only one."""
        while not self.run(f"Boolean({script})"):
            time.sleep(0.1)

    def open(self, address: str) -> None:
        """Go to a page, and wait until it is there."""
        self.run("window.before = true")
        self.send("Page.navigate", url=address)
        self.wait("!window.before && document.readyState === 'complete'")

    def resize(self, width: int, height: int, dark: bool = False) -> None:
        """Be a window of this size, on a screen of one pixel a point."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.send("Emulation.setDeviceMetricsOverride", **size)
        wish = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[wish])

    def press(self, key: str, times: int = 1) -> None:
        """Press a key of the keyboard."""
        code = {" ": "Space"}.get(key, key)
        for _ in range(times):
            for kind in ("keyDown", "keyUp"):
                self.send("Input.dispatchKeyEvent", type=kind, key=key, code=code)

    def screenshot(self, file: Path) -> None:
        """Save what the window shows."""
        found = self.send("Page.captureScreenshot", format="png")
        file.write_bytes(base64.b64decode(found["data"]))

    def close(self) -> None:
        """End the browser."""
        self.socket.close()
        self.process.terminate()
        self.process.wait()


def _read_port(file: Path, process: subprocess.Popen) -> list[str]:
    """Port and path that the browser listens at."""
    while True:
        assert process.poll() is None, "the browser has ended"
        lines = file.read_text().splitlines() if file.exists() else []
        if len(lines) == 2:
            return lines
        time.sleep(0.1)
