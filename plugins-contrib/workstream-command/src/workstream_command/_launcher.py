"""What runs in the new process before the command takes its place.

``python -I -S _launcher.py FD`` waits on a socket for a message that says what to
execute. It is sent only when the engine has durably noted this process; should the
engine die first, the socket closes, and this ends without having begun anything.

It is a script of its own and not a ``preexec_fn``: between fork and exec, a process
that has threads may do next to nothing safely. It imports next to nothing itself, for
every command waits for it.
"""

import marshal
import os
import sys

# Built in; ``signal`` brings enum along, and would take half as long again.
signal = __import__("_signal")

HEADER = 8
"""Bytes before the message: its length. An end of file in the middle must not pass for
the end of the message."""

STARTING = b"+"


def main(fd: int) -> None:
    """Wait for the message, then become the command."""
    os.set_inheritable(fd, False)  # so that the engine sees exec as an end of file
    length = int.from_bytes(_read(fd, HEADER), "big")
    cwd, argv, env = marshal.loads(_read(fd, length))
    place = "cwd"
    try:
        if cwd is not None:
            os.chdir(cwd)
        place = "program"
        # Python has set these aside for itself; a command expects the defaults.
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.write(fd, STARTING)
        os.execvpe(argv[0], argv, env)
    except OSError as error:
        os.write(fd, f"{place} {error.errno}".encode())
        os._exit(126)


def _read(fd: int, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = os.read(fd, size - len(data))
        if not more:
            os._exit(125)  # the engine is gone: nothing was begun
        data += more
    return data


if __name__ == "__main__":
    main(int(sys.argv[1]))
