"""A door in front of a TCP server that a test can close, so that the server is away and comes back."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit


class Gate:
    """Forwards connections to the server of a URL while it is open.

    Attributes:
        url: the same URL, by way of the gate.
        swallow_answers: while set, what the server says is not passed on.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname
        assert parts.port
        self._server = (parts.hostname, parts.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = url.replace(
            f"{parts.hostname}:{parts.port}", f"127.0.0.1:{self._listener.getsockname()[1]}"
        )
        self.swallow_answers = threading.Event()
        self._open, self._ended = threading.Event(), threading.Event()
        self._open.set()
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._ended.set()
        self.close()
        self._listener.close()

    def close(self) -> None:
        """Break every connection and take no more."""
        self._open.clear()
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._sockets.clear()

    def open(self) -> None:
        """Take connections again."""
        self._open.set()

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                caller, _ = self._listener.accept()
            except OSError:
                return
            if not self._open.is_set():
                caller.close()
                continue
            server = socket.create_connection(self._server)
            self._sockets += [caller, server]
            threading.Thread(target=self._forward, args=(caller, server), daemon=True).start()

    def _forward(self, caller: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError), caller, server:
            while True:
                for one in select.select([caller, server], [], [])[0]:
                    text = one.recv(65_536)
                    if not text:
                        return
                    if one is caller:
                        server.sendall(text)
                    elif not self.swallow_answers.is_set():
                        caller.sendall(text)
