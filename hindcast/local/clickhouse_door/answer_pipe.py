"""The way of a SELECT's answer from the engine to the web: a pipe, so that neither side holds more than a few blocks.

The engine writes its output format to the pipe by `INTO OUTFILE`: the bytes are those of one file, header and footer
once, whatever their number. A reader who is slow slows the query; one who goes away ends it.
"""

from __future__ import annotations

import asyncio
import os

CHUNK = 1024 * 1024


class AnswerPipe:
    """A pipe whose writing end is a path; read it from the event loop that opened it."""

    def __init__(
        self, reader: asyncio.StreamReader, transport: asyncio.ReadTransport, write_end: int
    ) -> None:
        self._reader, self._transport, self._write_end = reader, transport, write_end
        self.abandoned = False

    @classmethod
    async def open(cls) -> AnswerPipe:
        """A new pipe."""
        read_end, write_end = os.pipe()
        reader = asyncio.StreamReader(limit=CHUNK)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read_end, "rb", buffering=0)
        )
        return cls(reader, transport, write_end)

    @property
    def path(self) -> str:
        """Opens the writing end, in this process."""
        return f"/dev/fd/{self._write_end}"

    def written(self) -> None:
        """Nothing more is written: the reader meets the end. For the thread that runs the query."""
        os.close(self._write_end)

    async def read(self) -> bytes:
        """The next bytes, at most a chunk; none at the end."""
        return await self._reader.read(CHUNK)

    async def read_up_to(self, count: int) -> tuple[bytes, bool]:
        """Bytes until there are `count` or more, or the end; and whether it is the end."""
        parts: list[bytes] = []
        size = 0
        while size < count:
            part = await self.read()
            if not part:
                return b"".join(parts), True
            parts.append(part)
            size += len(part)
        return b"".join(parts), False

    def abandon(self) -> None:
        """Nothing more is read: whoever writes gets an error."""
        self.abandoned = True
        self._transport.close()
