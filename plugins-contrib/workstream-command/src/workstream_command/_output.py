"""A command's output: read from its pipe for as long as there is somebody to write it."""

from __future__ import annotations

import fcntl
import os
import struct
import termios

import trio

from workstream.plugins import CapturedOutput

CHUNK = 64 * 1024


class Output:
    """One output stream of a command, from the pipe to those who want to see it."""

    def __init__(self, fd: int, captured: CapturedOutput) -> None:
        """Take over the reading end of a pipe.

        Args:
            fd: The file descriptor; it stays the caller's to close.
            captured: Gets what is read.
        """
        os.set_blocking(fd, False)
        self._fd = fd
        self._scope = trio.CancelScope(shield=True)
        self.captured = captured

    async def pump(self) -> None:
        """Read until the end of the stream, or ``finish``.

        It is shielded: a command that is being ended has last words too, and must not
        be kept from ending by a full pipe.
        """
        with self._scope:
            while True:
                await trio.lowlevel.wait_readable(self._fd)
                data = os.read(self._fd, CHUNK)
                if not data:
                    return
                self.captured.feed(data)

    def finish(self) -> None:
        """Take what is in the pipe now, and no more.

        Called when no process of the command's session is left. A process that has
        detached itself may hold the pipe open for as long as it likes: there is no
        waiting for the end of the stream.
        """
        self._scope.cancel()
        packed = fcntl.ioctl(self._fd, termios.FIONREAD, struct.pack("i", 0))
        (left,) = struct.unpack("i", packed)
        while left > 0:
            data = os.read(self._fd, min(left, CHUNK))
            if not data:
                break
            self.captured.feed(data)
            left -= len(data)
        self.captured.close()
