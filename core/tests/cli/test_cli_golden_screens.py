"""Screens as a real terminal (tmux) shows them, compared with those that were looked at.

The files in ``screens`` hold what tmux shows, with rich's markup for the styles. After a
change of what is drawn, write them anew and look at each of them::

    WORKSTREAM_WRITE_SCREENS=1 python -m pytest core/tests/cli/test_cli_golden_screens.py
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from rich.cells import cell_len
from rich.text import Text

HERE = Path(__file__).parent
SCREENS = HERE / "screens"
HEIGHT = 30
TMUX = shutil.which("tmux")
SETTINGS = """
set -g status off
set -g default-terminal screen-256color
"""
THEMES = {"dark": "fg=white,bg=black", "light": "fg=black,bg=white"}
PLAIN = {"bold", "dim", "not", "none", "on", "default"}
READABLE = {*PLAIN, *(f"color({number})" for number in (1, 2, 3, 5, 6))}
"""Styles that can be read on a dark and on a light ground: no white, and no black."""

pytestmark = [
    pytest.mark.slow,  # each is a terminal, a process, and ten thousand sequences
    pytest.mark.skipif(TMUX is None, reason="tmux is missing"),
]


class Terminal:
    """A terminal in which one screen is drawn."""

    def __init__(self, folder: Path, what: str, width: int, theme: str, **more: str):
        """Draw it, and return when it is there."""
        settings = folder / "tmux.conf"
        settings.write_text(f"{SETTINGS}set -g window-style {THEMES[theme]}\n")
        # The socket's path must be short, whatever the folder's is.
        self._tmux = [str(TMUX), "-u", "-L", f"ws-{uuid4().hex[:12]}"]
        environment = {
            **os.environ,
            **more,
            "TMUX_PROGRAM": str(TMUX),
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "COLORFGBG": "15;0" if theme == "dark" else "0;15",
        }
        size = ("-x", str(width), "-y", str(HEIGHT))
        command = [sys.executable, str(HERE / "drawn_screens.py"), what]
        subprocess.run(
            [*self._tmux, "-f", str(settings), "new-session", "-d", *size, *command],
            check=True,
            env=environment,
        )
        self._do("wait-for", "shown")

    def _do(self, *words: str) -> str:
        done = subprocess.run(
            [*self._tmux, *words],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            timeout=60,
        )
        return done.stdout

    def screen(self) -> list[Text]:
        """The lines, with their styles."""
        lines = self._do("capture-pane", "-e", "-p").splitlines()
        return [Text.from_ansi(line) for line in lines]

    def resize(self, width: int) -> None:
        """Make it so wide, and let the screen be drawn again."""
        self._do("resize-window", "-x", str(width))
        self._do("wait-for", "-S", "seen")
        self._do("wait-for", "shown")

    def type(self, text: str) -> None:
        """Type something, and let the screen be drawn again."""
        self._do("send-keys", text, "Enter")
        self._do("wait-for", "-S", "seen")
        self._do("wait-for", "shown")

    def close(self) -> None:
        """End it."""
        subprocess.run([*self._tmux, "kill-server"], check=False)


Open = Callable[..., Terminal]


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Opens terminals, and closes them in the end."""
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TMUX", "TERM"):
        monkeypatch.delenv(name, raising=False)
    opened: list[Terminal] = []

    def open_terminal(
        what: str, width: int, theme: str = "dark", **more: str
    ) -> Terminal:
        opened.append(Terminal(tmp_path, what, width, theme, **more))
        return opened[-1]

    yield open_terminal
    for each in opened:
        each.close()


def written(lines: list[Text]) -> str:
    """The lines with markup for their styles."""
    return "\n".join(line.markup.rstrip() for line in lines).rstrip() + "\n"


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", [20, 80, 200])
@pytest.mark.parametrize("what", ["live", "asks", "end", "broken", "show"])
def test_the_screen_is_as_it_was_looked_at(
    terminal: Open, what: str, width: int, theme: str
) -> None:
    """Ten thousand sequences, or a bad night; dark and light have the same colours."""
    lines = terminal(what, width, theme).screen()

    golden = SCREENS / f"{what}-{width}.txt"
    if "WORKSTREAM_WRITE_SCREENS" in os.environ:
        golden.write_text(written(lines), encoding="utf-8")
    assert written(lines) == golden.read_text(encoding="utf-8")
    assert all(cell_len(line.plain) <= width for line in lines)
    styles = {
        word for line in lines for s in line.spans for word in str(s.style).split()
    }
    assert styles <= READABLE


@pytest.mark.parametrize("what", ["live", "asks", "end", "broken", "show"])
def test_without_colours_the_screen_says_the_same(terminal: Open, what: str) -> None:
    """Whoever sets ``NO_COLOR`` misses no word and no sign."""
    lines = terminal(what, 80, NO_COLOR="1").screen()

    golden = (SCREENS / f"{what}-80.txt").read_text(encoding="utf-8")
    plain = "\n".join(line.plain.rstrip() for line in lines).rstrip()
    assert plain == Text.from_markup(golden).plain.rstrip()
    styles = {
        word for line in lines for s in line.spans for word in str(s.style).split()
    }
    assert styles <= PLAIN


@pytest.mark.parametrize(("before", "after"), [(80, 20), (200, 80), (20, 200)])
def test_a_resized_screen_is_drawn_anew(
    terminal: Open, before: int, after: int
) -> None:
    """No line of what was there before stays behind."""
    resized = terminal("live", before)
    resized.resize(after)

    golden = (SCREENS / f"live-{after}.txt").read_text(encoding="utf-8")
    # The line above is the terminal's own: it broke it where it had to.
    assert body(written(resized.screen())) == body(golden)


def body(screen: str) -> list[str]:
    """What is drawn, from the plan's name on."""
    lines = screen.splitlines()
    return lines[next(n for n, line in enumerate(lines) if "Depl" in line) :]


def test_keys_that_are_typed_do_no_harm(terminal: Open) -> None:
    """They are not shown, and break no line."""
    typed = terminal("live", 80)
    typed.type("rm -rf")

    golden = (SCREENS / "live-80.txt").read_text(encoding="utf-8")
    assert written(typed.screen()) == golden


def test_no_escape_of_a_stranger_reaches_the_terminal() -> None:
    """What a plugin printed is shown as text."""
    for path in SCREENS.iterdir():
        assert not re.search(r"[\x00-\x09\x0b-\x1f]", path.read_text(encoding="utf-8"))
