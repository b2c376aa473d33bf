"""Draws the pictures of the documentation: ``python docs/_site/pictures.py``.

Plain SVG from a few shapes, so that a picture changes in a diff like any text. Each has a
light ground of its own and can be read on a dark page. A test compares the files with what
this draws.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "explanation" / "pictures"

INK = "#1f2933"
GREY = "#7b8794"
COLOURS = {
    "plain": ("#ffffff", "#9aa5b1"),
    "check": ("#e3f2fd", "#1e70bf"),
    "work": ("#e8f5e9", "#2e7d32"),
    "deferred": ("#fff3e0", "#c66900"),
    "failed": ("#fdecea", "#c62828"),
    "not run": ("#f1f3f5", "#adb5bd"),
}


class Picture:
    """A drawing that grows by shapes."""

    def __init__(self, width: int, height: int, title: str) -> None:
        """Begin with an empty ground.

        Args:
            width: In pixels.
            height: In pixels.
            title: What it shows, for those who cannot see it.
        """
        self._lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" role="img" '
            'font-family="system-ui, sans-serif" font-size="13">',
            f"<title>{escape(title)}</title>",
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
            'markerHeight="7" orient="auto-start-reverse">'
            f'<path d="M0 0 8 4 0 8z" fill="{GREY}"/></marker></defs>',
            f'<rect width="{width}" height="{height}" rx="8" fill="#fbfcfd"/>',
        ]

    def box(
        self, place: tuple[int, int, int, int], kind: str, text: str, note: str = ""
    ) -> None:
        """A box with a text, and a smaller one below it.

        Args:
            place: Left, top, width and height.
            kind: A name in ``COLOURS``.
            text: What it is; at the top of a box that is high enough to hold others.
            note: More of it.
        """
        x, y, width, height = place
        fill, edge = COLOURS[kind]
        dash = ' stroke-dasharray="4 3"' if kind == "not run" else ""
        self._lines.append(
            f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="5" '
            f'fill="{fill}" stroke="{edge}"{dash}/>'
        )
        holds_others = height > 60
        middle = y + 18 if holds_others else y + height // 2 + (-3 if note else 5)
        at = x + 10 if holds_others else x + width // 2
        anchor = "start" if holds_others else "middle"
        self.text(at, middle, text, anchor=anchor, bold=True)
        if note:
            self.text(at, middle + 16, note, anchor=anchor, small=True)

    def text(
        self,
        x: int,
        y: int,
        text: str,
        *,
        anchor: str = "start",
        bold: bool = False,
        small: bool = False,
    ) -> None:
        """A line of text; ``y`` is its base line."""
        weight = ' font-weight="600"' if bold else ""
        size = ' font-size="11"' if small else ""
        colour = GREY if small else INK
        self._lines.append(
            f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="{colour}"'
            f"{weight}{size}>{escape(text)}</text>"
        )

    def arrow(self, *points: tuple[int, int]) -> None:
        """A line through some points, with a tip at the last."""
        path = " ".join(f"{x},{y}" for x, y in points)
        self._lines.append(
            f'<polyline points="{path}" fill="none" stroke="{GREY}" '
            'stroke-width="1.5" marker-end="url(#tip)"/>'
        )

    def svg(self) -> str:
        """The file."""
        return "\n".join([*self._lines, "</svg>"]) + "\n"


def hierarchy() -> Picture:
    """What a plan is made of."""
    picture = Picture(760, 330, "A plan holds blocks, sequences and actions")
    picture.box((10, 10, 740, 310), "plain", "Plan: Deploy 2.0", "blocks one at a time")
    picture.box((30, 60, 150, 40), "check", "pre_checks", "before the work")
    picture.box((200, 60, 390, 190), "plain", "Block: Web tier", "concurrency = 2")
    for row, host in enumerate(("web-1", "web-2", "web-3")):
        top = 100 + 48 * row
        picture.box((220, top, 350, 40), "work", "", "")
        picture.text(232, top + 25, host, bold=True)
        for column, action in enumerate(("Drain", "Copy", "Start")):
            left = 290 + 92 * column
            picture.box((left, top + 6, 76, 28), "plain", action)
            if column:
                picture.arrow((left - 16, top + 20), (left - 2, top + 20))
    picture.box((605, 60, 135, 40), "check", "post_checks", "after the work")
    picture.box(
        (200, 265, 390, 40), "check", "cont_checks", "again and again, beside the work"
    )
    picture.box(
        (605, 115, 135, 46), "deferred", "deferred_actions", "at the end, always"
    )
    picture.text(30, 130, "A Sequence is one row:", small=True)
    picture.text(30, 146, "its Actions run one", small=True)
    picture.text(30, 162, "after the other.", small=True)
    picture.text(30, 186, "Sequences of a Block", small=True)
    picture.text(30, 202, "run side by side, as", small=True)
    picture.text(30, 218, "many as concurrency says.", small=True)
    return picture


PHASES = (
    ("P1", "bypass checks", "check"),
    ("P2", "pre stage", "check"),
    ("P4", "blocks", "work"),
    ("P6", "post checks", "check"),
    ("P7", "deferred actions", "deferred"),
    ("P8", "deferred checks", "deferred"),
)
BLOCK_PHASES = (
    ("B0", "delay", "plain"),
    ("B2", "bypass checks", "check"),
    ("B3", "pre stage", "check"),
    ("B5", "sequences", "work"),
    ("B6", "post checks", "check"),
    ("B7", "deferred checks", "deferred"),
    ("B10", "delay", "plain"),
)


def phases() -> Picture:
    """The phases of a plan and of a block."""
    picture = Picture(760, 300, "The phases of a plan, and of each block in it")
    picture.text(12, 26, "A plan:", bold=True)
    for number, (name, what, kind) in enumerate(PHASES):
        left = 12 + 124 * number
        picture.box((left, 40, 112, 46), kind, name, what)
        if number:
            picture.arrow((left - 12, 63), (left - 2, 63))
    picture.box((260, 98, 112, 40), "check", "P3 to P5", "continuous checks")
    picture.text(12, 176, "Each block in P4:", bold=True)
    for number, (name, what, kind) in enumerate(BLOCK_PHASES):
        left = 12 + 107 * number
        picture.box((left, 190, 95, 46), kind, name, what)
        if number:
            picture.arrow((left - 12, 213), (left - 2, 213))
    picture.box((333, 248, 309, 40), "check", "B4 to B8", "continuous checks")
    return picture


def after_a_failure() -> Picture:
    """What still runs when a block has failed."""
    picture = Picture(760, 220, "What runs after the second of three blocks has failed")
    row = (
        ("pre_checks", "passed", "check"),
        ("Block 1", "completed", "work"),
        ("Block 2", "failed", "failed"),
        ("Block 3", "not run", "not run"),
        ("post_checks", "not run", "not run"),
    )
    for number, (name, note, kind) in enumerate(row):
        left = 12 + 150 * number
        picture.box((left, 24, 130, 46), kind, name, note)
        if number:
            picture.arrow((left - 20, 47), (left - 2, 47))
    deferred = (
        ("Batch ON_SUCCESS", "not run", "not run"),
        ("Batch ON_FAILURE", "runs", "deferred"),
        ("Batch ALWAYS", "runs", "deferred"),
        ("deferred_checks", "run", "deferred"),
    )
    for number, (name, note, kind) in enumerate(deferred):
        left = 12 + 188 * number
        picture.box((left, 140, 170, 46), kind, name, note)
        if number:
            picture.arrow((left - 18, 163), (left - 2, 163))
    picture.arrow((377, 72), (377, 105), (97, 105), (97, 138))
    picture.text(392, 100, "the block's own deferred checks run first", small=True)
    return picture


def after_a_crash() -> Picture:
    """What a crash leaves in the store, and what resuming does with it."""
    picture = Picture(760, 250, "What a crash leaves, and what happens on resume")
    picture.text(12, 28, "In the store when the process died", bold=True)
    picture.text(420, 28, "On resume", bold=True)
    rows = (
        ("Drain", "COMPLETED", "work", "is not run again"),
        ("Copy", "RUNNING, attempt open", "failed", "on_interrupt decides:"),
        ("Start", "NOT_STARTED", "not run", "runs when its turn comes"),
    )
    for number, (name, status, kind, then) in enumerate(rows):
        top = 44 + 66 * number
        picture.box((12, top, 110, 46), kind, name)
        picture.text(136, top + 28, status)
        picture.arrow((330, top + 23), (408, top + 23))
        picture.text(420, top + 20 if number == 1 else top + 28, then)
    picture.text(420, 145, "RERUN: run it again", small=True)
    picture.text(420, 160, "RECONCILE: ask its plugin what became of it", small=True)
    picture.text(420, 175, "FAIL: leave it for a person", small=True)
    return picture


PICTURES: dict[str, Callable[[], Picture]] = {
    "hierarchy": hierarchy,
    "phases": phases,
    "after-a-failure": after_a_failure,
    "after-a-crash": after_a_crash,
}


def main() -> None:
    """Draw all of them."""
    FOLDER.mkdir(exist_ok=True)
    for name, draw in PICTURES.items():
        (FOLDER / f"{name}.svg").write_text(draw().svg(), encoding="utf-8")


if __name__ == "__main__":
    main()
