"""Takes the README's picture of a run: ``python docs/_site/run_picture.py``.

It runs the demo in a real terminal (tmux), looks when the broken host has failed and once
more at the end, and writes what is on the screen as SVG. Needs tmux and the environment
in which ``workstream`` and the demo's plugins are installed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parents[2]
DEMO = "docs/examples/rolling_deploy.py"
PICTURES = ROOT / "docs" / "pictures"
WIDTH, HEIGHT = 92, 40
PATIENCE = 120.0
"""Seconds that the demo may take."""


class Terminal:
    """A terminal that runs one command."""

    def __init__(self, command: str, store: Path) -> None:
        """Begin the command."""
        self._name = f"picture-{os.getpid()}"
        program = shutil.which("tmux")
        if program is None:
            sys.exit("tmux is missing: install it")
        self._tmux = (program, "-L", self._name)
        environment = ("-e", f"WORKSTREAM_STORE={store}")
        size = ("-x", str(WIDTH), "-y", str(HEIGHT))
        hold = f"{command}; printf '\\nended'; read -r _"
        begin = ("new-session", "-d", *size, *environment, f"cd {ROOT}; {hold}")
        subprocess.run([*self._tmux, *begin], check=True)

    def screen(self) -> str:
        """What is on the screen, with its colours."""
        show = [*self._tmux, "capture-pane", "-e", "-p"]
        return subprocess.run(show, check=True, capture_output=True, text=True).stdout

    def wait_for(self, *texts: str) -> str:
        """The screen, as soon as it shows all of these texts."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            screen = self.screen()
            plain = Text.from_ansi(screen).plain
            if all(text in plain for text in texts):
                return screen
            time.sleep(0.1)
        sys.exit(f"the demo never showed {texts}:\n{self.screen()}")

    def close(self) -> None:
        """End it."""
        subprocess.run([*self._tmux, "kill-server"], check=False)


def write(name: str, screen: str, file: str) -> None:
    """Write a screen as SVG, with the command as its title."""
    # The picture shows no place of the machine that took it.
    for path, word in ((sys.executable, "python"), (f"{ROOT}/", "")):
        screen = screen.replace(path, word)
    console = Console(record=True, width=WIDTH, file=open(os.devnull, "w"))  # noqa: SIM115
    shown = Text.from_ansi(screen)
    shown.rstrip()
    console.print(shown, soft_wrap=True)
    svg = console.export_svg(title=f"workstream run {file}", unique_id="workstream")
    # Rich asks for a font from the network; a system's own will do.
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    PICTURES.mkdir(exist_ok=True)
    (PICTURES / name).write_text(svg, encoding="utf-8")


def main() -> None:
    """Run the demo, and take both pictures."""
    with tempfile.TemporaryDirectory() as folder:
        program = Path(sys.executable).with_name("workstream")
        terminal = Terminal(f"{program} run {DEMO}", Path(folder, "store"))
        try:
            write("run.svg", terminal.wait_for("1 failed (1 may)"), DEMO)
            screen, _, _ = terminal.wait_for("\nended").rpartition("ended")
            write("run-end.svg", screen, DEMO)
        finally:
            terminal.close()


if __name__ == "__main__":
    main()
