"""Does a llama-server still turn its wheel? ``/health`` is answered beside it; this asks something that the wheel itself answers."""

from __future__ import annotations

import http.client
import socket
import threading
from pathlib import Path

STUCK_AFTER = 600.0
ASK_EVERY = 10.0


class Pulse:
    """Asks a server on a private socket every ``every`` seconds, in a thread of its own. ``stuck`` is true once nothing came for
    ``after`` seconds: as long as the largest batch may take on a slow machine.
    """

    def __init__(self, path: Path, key: str, *, after: float = STUCK_AFTER, every: float = ASK_EVERY) -> None:
        self.stuck = False
        self.after = after
        self._path, self._key, self._every = path, key, every
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._feel, name="pulse", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ask no more. Call it when the server has ended: a question that waits ends with it."""
        self._over.set()
        self._thread.join(5.0)

    def _feel(self) -> None:
        while not self.stuck and not self._over.wait(self._every):
            self.stuck = self._silent()

    def _silent(self) -> bool:
        """Ask once. A server that is not there is not silent: its process tells."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as one:
            one.settimeout(self.after)
            try:
                one.connect(str(self._path))
                connection = http.client.HTTPConnection("localhost")
                connection.sock = one
                # Of all paths the one whose answer comes from the loop that decodes, and changes nothing: to ask for
                # /metrics begins their averages anew.
                connection.request("GET", "/lora-adapters", headers={"Authorization": f"Bearer {self._key}"})
                connection.getresponse().read()
            except TimeoutError:
                return True
            except (OSError, http.client.HTTPException):
                return False
        return False
