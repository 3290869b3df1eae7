"""A server on this machine that can be told to misbehave."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


@dataclass
class Served:
    """What the server does, and what it was asked."""

    files: dict[str, bytes] = field(default_factory=dict)
    tag: str | None = '"1"'
    breaks_after: int | None = None  # bytes of an answer
    ranges: bool = True
    length: bool = True
    kind: str = "application/octet-stream"
    named: str = ""  # in Content-Disposition
    moved: dict[str, str] = field(default_factory=dict)
    status: dict[str, int] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)  # path, Range
    sent: int = 0
    port: int = 0

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}/{path}"


class _Handler(BaseHTTPRequestHandler):
    served: Served

    def do_GET(self) -> None:
        served, path = self.served, self.path.partition("?")[0].rpartition("/")[2]
        served.asked.append((self.path, self.headers.get("Range", "")))
        if path in served.moved:
            self.send_response(302)
            self.send_header("Location", served.moved[path])
            self.end_headers()
            return
        if path in served.status or path not in served.files:
            self.send_error(served.status.get(path, 404))
            return
        content, start = served.files[path], 0
        same = self.headers.get("If-Range", served.tag) == served.tag
        if served.ranges and same and (asked := self.headers.get("Range")):
            start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1])
            if start >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        self.send_header("Content-Type", served.kind)
        if served.tag:
            self.send_header("ETag", served.tag)
        if served.length:
            self.send_header("Content-Length", str(len(content) - start))
        if served.named:
            self.send_header("Content-Disposition", f'attachment; filename="{served.named}"')
        self.end_headers()
        rest = content[start:]
        rest = rest if served.breaks_after is None else rest[: served.breaks_after]
        served.sent += len(rest)
        self.wfile.write(rest)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    served = Served()
    handler = type("Handler", (_Handler,), {"served": served})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        served.port = httpd.server_address[1]
        thread = threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield served
        httpd.shutdown()


@pytest.fixture
def served(server, checkpoint):
    """The server with a checkpoint, ``spheroids.pth``."""
    server.files["spheroids.pth"] = checkpoint.read_bytes()
    return server
