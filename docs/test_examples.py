"""What the pages show is run: plan files, Python, and commands with their output.

In a page (README.md files and everything under docs), HTML comments, which readers
do not see, say what to do with the fenced block right below them:

``<!-- file: NAME -->``
    Write the block to a file of this name.
``<!-- run -->``
    Run the Python block. A page's blocks share one namespace.
``<!-- output -->``
    The block is all that the Python block before it printed.
``<!-- not run: REASON -->``
    Leave this block of commands out.
``<!-- on hosts -->``
    Leave this block of commands out, unless the page is followed where there are hosts
    (``test_deploy_pages.py``): there, run all of them, whatever their programs are.

A page that needs a program which a machine may lack says so: ``<!-- needs: git -->``.
There it is not followed, and the test is skipped with the program's name.

Each ``$ workstream ...`` and ``$ pytest ...`` in a console block is run, needing no
comment; other commands are not. The lines below it are all that it prints; with none
there, it must exit with status 0. A line of three dots stands for any lines, and three
dots within a line for any text. All of a page happens in order, in an empty directory
and a store of its own. Python that is not run must at least compile.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from types import CodeType

import attrs
import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("README.md", "docs/**/*.md", "plugins-contrib/*/README.md")
    for path in ROOT.glob(pattern)
)

PROGRAMS = (["workstream"], ["pytest"])

FENCE = re.compile(r"^(?P<indent> *)(?P<ticks>`{3,})(?P<language>\w*)\s*$")
COMMENT = re.compile(
    r"^\s*<!--\s*(?P<verb>file|run|output|not run|on hosts)(?::\s*(?P<what>.+?))?\s*-->$"
)


NEEDS = re.compile(r"^<!-- needs: (\S+) -->$", re.MULTILINE)


@attrs.frozen
class Fenced:
    """A fenced block of a page, and the comment above it.

    Attributes:
        language: The word after the opening fence.
        text: What is between the fences.
        line: The number of its first line in the page.
        verb: What the comment right above asks for; "" without one.
        what: What the comment says after its colon.
    """

    language: str
    text: str
    line: int
    verb: str
    what: str


@attrs.frozen
class Command:
    """One command of a console block, and what it is shown to print."""

    command: str
    output: str
    line: int


def blocks(page: str) -> Iterator[Fenced]:
    """The fenced blocks of a page's text."""
    lines = page.splitlines()
    comment: re.Match[str] | None = None
    number = 0
    while number < len(lines):
        line = lines[number]
        number += 1
        fence = FENCE.match(line)
        if fence is None:
            if line.strip():
                comment = COMMENT.match(line)
            continue
        close = fence["indent"] + fence["ticks"]
        first = number
        while number < len(lines) and lines[number].rstrip() != close:
            number += 1
        yield Fenced(
            language=fence["language"],
            text=textwrap.dedent("\n".join(lines[first:number]) + "\n"),
            line=first + 1,
            verb=comment["verb"] if comment else "",
            what=(comment["what"] or "") if comment else "",
        )
        comment = None
        number += 1


def commands(block: Fenced, *, every: bool = False) -> Iterator[Command]:
    """The commands of a console block that are run; a ``\\`` continues a command."""
    parts = re.split(r"^\$ ", block.text, flags=re.MULTILINE)
    line = block.line + parts[0].count("\n")
    for part in parts[1:]:
        match = re.match(r"(?:.*\\\n)*.*\n?", part)
        command = match[0] if match else ""
        if every or command.split()[:1] in PROGRAMS:
            yield Command(command.strip(), part[len(command) :], line)
        line += part.count("\n")


def matches(shown: str, real: str) -> bool:
    """Whether real output is as shown, where three dots stand for anything."""
    pattern = "".join(
        r"(?:.*\n)*?" if line.strip() == "..." else _line_pattern(line) + r"\s*\n"
        for line in shown.rstrip().splitlines()
    )
    return re.fullmatch(pattern + r"\s*", real.rstrip() + "\n") is not None


def _line_pattern(line: str) -> str:
    return ".*".join(re.escape(piece) for piece in line.rstrip().split("..."))


def compiled(page: str, block: Fenced) -> CodeType:
    """The block's code, its line numbers those of the page."""
    # As a reader would run it, without this module's own ``from __future__``.
    source = "\n" * (block.line - 1) + block.text
    return compile(source, page, "exec", dont_inherit=True)


def follow(page: str, *settings: str) -> None:
    """Do all that a page asks for, in the current directory.

    Args:
        page: Its path in the repository.
        settings: ``WORD=WORD``, for pages that need hosts: what the page has, and what
            it is in truth.
    """
    namespace: dict[str, object] = {"__name__": "page"}
    printed = ""
    text = (ROOT / page).read_text(encoding="utf-8")
    for setting in settings:
        shown, _, real = setting.partition("=")
        text = text.replace(shown, real)
    for block in blocks(text):
        if block.verb == "file":
            path = Path(block.what)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
        elif block.verb == "run":
            with redirect_stdout(StringIO()) as out:
                exec(compiled(page, block), namespace)
            printed = out.getvalue()
        elif block.verb == "output":
            expect(page, block.line, "the block above", block.text, printed)
        elif block.verb == "on hosts":
            for command in commands(block, every=True) if settings else ():
                carry_out(page, command)
        elif block.language == "console" and block.verb != "not run":
            for command in commands(block):
                carry_out(page, command)


def carry_out(page: str, command: Command) -> None:
    """Run a command, and compare what it prints with what is shown."""
    done = subprocess.run(
        command.command,
        shell=True,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        timeout=120,
    )
    if command.output.strip():
        expect(page, command.line, command.command, command.output, done.stdout)
    elif done.returncode:
        sys.exit(
            f"{page}:{command.line}: {command.command}\n"
            f"exited with status {done.returncode}:\n{done.stdout}"
        )


def expect(page: str, line: int, what: str, shown: str, real: str) -> None:
    """End with both texts when they differ."""
    if not matches(shown, real):
        sys.exit(f"{page}:{line}: {what}\nprinted\n{real}\nbut the page shows\n{shown}")


def environment(directory: Path) -> dict[str, str]:
    """What the commands of a page find: nothing of the person who runs the tests."""
    programs = Path(sys.executable).parent
    return {
        "PATH": os.pathsep.join([str(programs), os.environ.get("PATH", os.defpath)]),
        "HOME": str(directory),
        "WORKSTREAM_STORE": str(directory / "store"),
        "COLUMNS": "100",
        "LC_ALL": "C.UTF-8",
        "NO_COLOR": "1",
    }


NEWS = "docs/changes/"
"""The folder of the news fragments: hundreds of pages of a few lines."""


@pytest.mark.parametrize("page", [page for page in PAGES if NEWS not in page])
def test_python_of_the_page_compiles(page: str) -> None:
    """Every Python block is Python, run or not."""
    for block in blocks((ROOT / page).read_text(encoding="utf-8")):
        if block.language == "python":
            compiled(page, block)


def test_python_of_the_news_compiles() -> None:
    """Of each fragment; the error names the one, as a page's does."""
    for page in PAGES:
        if NEWS in page:
            test_python_of_the_page_compiles(page)


def obey(page: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """Follow a page in a process and a directory of its own."""
    work = directory / "work"
    work.mkdir()
    return subprocess.run(
        [sys.executable, str(Path(__file__).resolve()), page],
        cwd=work,
        env=environment(directory),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def missing(page: str) -> list[str]:
    """The programs that a page says it needs, and that are not here."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [name for name in NEEDS.findall(text) if shutil.which(name) is None]


def asks(page: str) -> bool:
    """Whether a page has anything to follow; news fragments seldom do."""
    found = blocks((ROOT / page).read_text(encoding="utf-8"))
    return any(block.verb or block.language == "console" for block in found)


QUICK = ("README.md", "docs/how-to/test-generated-plans.md")
"""Pages whose commands take little: one that a shell follows, and one of Python alone."""

FOLLOWED = [
    page if page in QUICK else pytest.param(page, marks=pytest.mark.slow)
    for page in filter(asks, PAGES)
]


@pytest.mark.parametrize("page", FOLLOWED)
def test_page_does_what_it_shows(page: str, tmp_path: Path) -> None:
    """Blocks run, and commands print what stands below them."""
    for program in missing(page):
        pytest.skip(f"there is no {program} here")

    done = obey(page, tmp_path)

    assert done.returncode == 0, done.stdout


PAGE = """
<!-- file: data/name.txt -->
```text
web-3
```

<!-- run -->
```python
from pathlib import Path

name = Path("data/name.txt").read_text().strip()
```

<!-- run -->
```python
print("host", name)
```

<!-- output -->
```text
host web-3
```

```console
$ rm -r ./no-such-folder
$ workstream --help
Usage: workstream ...
...
```
"""


@pytest.mark.slow
def test_pages_are_followed_in_order(tmp_path: Path) -> None:
    """Files, Python, its output and commands go together; other programs are not run."""
    (tmp_path / "page.md").write_text(PAGE, encoding="utf-8")

    done = obey(str(tmp_path / "page.md"), tmp_path)

    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("right", "wrong", "complaint"),
    [
        ("host web-3\n", "host web-4\n", "but the page shows\nhost web-4"),
        ('print("host", name)', "print(nobody)", "line 16"),
        ("Usage: ", "Abusage: ", "but the page shows\nAbusage: "),
        ("--help\nUsage: workstream ...\n...\n", "--hepl\n", "exited with status 2"),
    ],
)
def test_pages_that_lie_are_found(
    right: str, wrong: str, complaint: str, tmp_path: Path
) -> None:
    """Output that differs, Python that raises and a command that fails are faults."""
    (tmp_path / "page.md").write_text(PAGE.replace(right, wrong), encoding="utf-8")

    done = obey(str(tmp_path / "page.md"), tmp_path)

    assert done.returncode == 1
    assert complaint in done.stdout


def test_a_page_that_needs_what_is_not_here_is_told(tmp_path: Path) -> None:
    """By the program's name; what is here is no reason to skip."""
    page = tmp_path / "page.md"
    page.write_text("text\n<!-- needs: sh -->\n<!-- needs: program-of-nobody -->\n")

    assert missing(str(page)) == ["program-of-nobody"]


def test_blocks_know_their_comments() -> None:
    """A comment belongs to the block right below it, blank lines aside."""
    page = "<!-- run -->\n\n```python\nx = 1\n```\n\n```python\ny = 2\n```\ntext\n"

    assert [
        Fenced("python", "x = 1\n", 4, "run", ""),
        Fenced("python", "y = 2\n", 8, "", ""),
    ] == list(blocks(page))


def test_commands_know_their_output() -> None:
    """Output reaches to the next command; commands of other programs are left out."""
    text = "$ workstream run a.py \\\n    --group x\nfine\n\ngood\n$ ls\na\n$ workstream list\n"

    assert [
        Command("workstream run a.py \\\n    --group x", "fine\n\ngood\n", 5),
        Command("workstream list", "", 12),
    ] == list(commands(Fenced("console", text, 5, "", "")))


@pytest.mark.parametrize(
    ("shown", "real", "same"),
    [
        ("a\nb\n", "a\nb\n", True),
        ("a\n", "a\nb\n", False),
        ("a\n...\n", "a\nb\nc\n", True),
        ("a\n...\nd\n", "a\nd\n", True),
        ("took ... s [x]\n", "took 1.5 s [x]  \n", True),
        ("took ... s\n", "took 1.5\n s\n", False),
        ("a.c\n", "abc\n", False),
    ],
)
def test_three_dots_stand_for_anything(shown: str, real: str, same: bool) -> None:
    """A line of dots matches lines, dots in a line match text, all else itself."""
    assert matches(shown, real) is same


if __name__ == "__main__":
    follow(*sys.argv[1:])
