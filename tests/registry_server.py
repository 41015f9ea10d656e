"""A schema registry for tests: a small HTTP server that answers as Confluent's does."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Server(ThreadingHTTPServer):
    """Registers schemas per subject, gives ids, asks for a password; ``failing`` makes it answer that code."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.schemas: list[str] = []
        self.asked: list[str] = []
        self.failing = 0

    @property
    def url(self) -> str:
        """Its address with its user and password."""
        return f"http://us%40er:pass@127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """POST /subjects/{subject}/versions and GET /schemas/ids/{id}."""

    server: Server

    def do_POST(self) -> None:
        """Register a schema."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert body["schemaType"] == "AVRO"
        if body["schema"] not in self.server.schemas:
            self.server.schemas.append(body["schema"])
        self._answer({"id": self.server.schemas.index(body["schema"]) + 1})

    def do_GET(self) -> None:
        """Give a schema."""
        place = int(self.path.rsplit("/", 1)[1]) - 1
        if place >= len(self.server.schemas):
            self._answer({"error_code": 40403}, 404)
        else:
            self._answer({"schema": self.server.schemas[place]})

    def _answer(self, body: dict[str, Any], code: int = 200) -> None:
        self.server.asked.append(f"{self.command} {self.path}")
        if self.headers["Authorization"] != "Basic " + base64.b64encode(b"us@er:pass").decode():
            code = 401
        text = json.dumps(body).encode()
        self.send_response(self.server.failing or code)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Say nothing."""


@contextmanager
def running_registry() -> Iterator[Server]:
    """A running registry."""
    made = Server()
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield made
    finally:
        made.shutdown()
        thread.join()
        made.server_close()
