"""Seeds: which of the tasks that are ready at one instant goes first.

Three kinds of seed are understood. 0 lets what was ready first go first. Any other
number stands for one random order. And a text such as ``"order:3=1,17=2"`` says of each
choice that was not the usual one which it was: that is how ``explore`` writes down what
it found.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

from ..problems import SimulationError

Seed: TypeAlias = int | str
Choices: TypeAlias = Mapping[int, int]
"""What was chosen at each choice that was not the usual one, by the choice's number."""

_ORDER = "order:"
_ORDERS = re.compile(r"order:(\d+=\d+(,\d+=\d+)*)?")


class Recorder:
    """Makes choices, and remembers those that are not the usual one.

    Attributes:
        choices: What it chose, where that was not the first.
        ready: How many tasks were ready at each choice.
    """

    def __init__(self, choose: Callable[[int, int], int]) -> None:
        """Make a recorder.

        Args:
            choose: Given the number of the choice, and how many tasks are ready, tells
                the index of the one to go first.
        """
        self.choices: dict[int, int] = {}
        self.ready: list[int] = []
        self._choose = choose

    def __call__(self, ready: int) -> int:
        """The index of the task that goes first."""
        self.ready.append(ready)
        number = len(self.ready)
        chosen = self._choose(number, ready)
        if chosen:
            self.choices[number] = chosen
        return chosen


def chooser(seed: Seed) -> Callable[[int], int] | None:
    """What makes the choices for a seed; None: what was ready first goes first.

    Raises:
        SimulationError: It is no seed.
    """
    parsed = parse_seed(seed)
    if parsed == 0:
        return None
    if isinstance(parsed, int):
        return randomly(parsed)
    return Recorder(following(parsed))


def randomly(seed: int) -> Callable[[int], int]:
    """Choices that a number stands for, the same ones on every machine."""
    draw = random.Random(seed).random

    def choose(ready: int) -> int:
        return int(draw() * ready)

    return choose


def following(choices: Choices) -> Callable[[int, int], int]:
    """The choices that were written down, and the usual ones otherwise."""

    def choose(number: int, ready: int) -> int:
        return min(choices.get(number, 0), ready - 1)

    return choose


def parse_seed(seed: Seed) -> int | Choices:
    """Read a seed.

    Raises:
        SimulationError: It is none; the message tells what one looks like.
    """
    if isinstance(seed, int) and not isinstance(seed, bool) and seed >= 0:
        return seed
    if isinstance(seed, str):
        text = seed.strip()
        if text.isascii() and text.isdigit():
            return int(text)
        if _ORDERS.fullmatch(text):
            pairs = filter(None, text.removeprefix(_ORDER).split(","))
            return {int(n): int(c) for n, _, c in (p.partition("=") for p in pairs)}
    message = (
        f"seed={seed!r} is no seed: give a whole number from 0 on, or a text that a "
        "failure has printed, such as 'order:3=1,17=2'"
    )
    raise SimulationError(message)


def order_seed(choices: Choices) -> str:
    """The seed that makes these choices again."""
    return _ORDER + ",".join(f"{n}={c}" for n, c in sorted(choices.items()))
