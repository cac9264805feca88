"""A webhook that alarms are posted to."""

from __future__ import annotations

import http.server
import json
import threading
import time


class Channel:
    """A webhook on a free port that keeps what is posted to it."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.status = 200
        """What posts are answered with; those that are refused are not kept."""
        self.refused = threading.Semaphore(0)
        """Released by each post that is refused."""
        channel = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = channel.status
                if status == 200:
                    channel.told.append(json.loads(body)["text"])
                else:
                    channel.refused.release()
                self.send_response(status)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/hook"

    def wait(self, *words: str, seconds: float = 60) -> str:
        """The first post with all of these words."""
        give_up = time.monotonic() + seconds
        while time.monotonic() < give_up:
            for text in self.told:
                if all(word in text for word in words):
                    return text
            time.sleep(0.1)
        raise AssertionError(f"nobody told of {words}: {self.told}")

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
