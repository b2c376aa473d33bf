"""One call of the program ``ping``."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import trio

from workstream import PluginError
from workstream.plugins import explained_timeout

from ._requests import Ping, PingResult

_SUMMARY = re.compile(r"(\d+) packets transmitted, (\d+)(?: packets)? received")
_TIMES = re.compile(r"(?:rtt|round-trip) min/avg/max\S* = [\d.]+/([\d.]+)/")


def program() -> str:
    """Where ``ping`` is.

    Raises:
        PluginError: It is nowhere.
    """
    found = shutil.which("ping")
    if found is None:
        message = (
            "the program ping is not on this machine: install it (Debian and Ubuntu: "
            "iputils-ping; Fedora: iputils)"
        )
        raise PluginError(message, permanent=True)
    return found


async def look(request: Ping) -> PingResult:
    """See whether the host answers.

    When it is cancelled, or takes too long, ping is ended before it returns.

    Raises:
        PluginError: It does not answer often enough, or ping cannot ask it.
    """
    argv = [
        program(),
        *("-n", "-q"),
        *("-c", str(request.count)),
        *("-i", f"{request.interval:g}"),
        *("-W", str(request.reply_within)),
        *("--", request.host),
    ]
    endless = f"ping of {request.host} did not end"
    async with explained_timeout(lambda: endless):
        with trio.move_on_after(request.within):
            try:
                done = await trio.run_process(
                    argv,
                    capture_stdout=True,
                    stderr=subprocess.STDOUT,
                    check=False,
                    env={**os.environ, "LC_ALL": "C"},
                )
            except OSError as error:
                message = f"the program ping cannot be run: {error.strerror}"
                raise PluginError(message) from error
            return judged(request, done.stdout.decode(errors="replace"))
        message = f"{endless} within {request.within:g} seconds (within)"
        raise PluginError(message)


def judged(request: Ping, output: str) -> PingResult:
    """What the output of ping means.

    Raises:
        PluginError: Too few replies came, or there is no summary of them.
    """
    summary = _SUMMARY.search(output)
    if summary is None or not int(summary[1]):
        lines = [line.strip() for line in output.splitlines() if line.strip()]
        why = re.sub(r"^\S*ping: ", "", lines[-1]) if lines else "it said nothing"
        message = f"ping of {request.host} was not possible: {why}"
        raise PluginError(message)
    sent, received = int(summary[1]), int(summary[2])
    loss = max(100 * (sent - received) / sent, 0.0)
    if loss > request.max_loss:
        message = (
            f"{request.host} answered {received} of {sent} echo requests: {loss:g} % "
            f"were lost, allowed are {request.max_loss:g} %"
        )
        raise PluginError(message)
    times = _TIMES.search(output)
    return PingResult(sent, received, loss, float(times[1]) if times else None)
