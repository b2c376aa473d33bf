"""Every link inside the documentation leads somewhere, and every page is linked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

DOCS = Path(__file__).parent
ROOT = DOCS.parent
PAGES = sorted(
    path
    for pattern in ("README.md", "docs/**/*.md", "plugins-contrib/*/README.md")
    for path in ROOT.glob(pattern)
)
NEWS = sorted(path for path in PAGES if path.is_relative_to(DOCS / "changes"))
"""The news fragments: hundreds of pages of a few lines, looked at in one test."""
NAMES = [path.relative_to(ROOT).as_posix() for path in PAGES if path not in NEWS]

LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)
CODE = re.compile(r"^ *```.*?^ *```|`[^`\n]*`", re.MULTILINE | re.DOTALL)


@cache
def prose(page: Path) -> str:
    """The page without its code, where brackets are not links."""
    return CODE.sub(
        lambda code: re.sub(r"[\[\]#]", "", code[0]), page.read_text(encoding="utf-8")
    )


@cache
def anchors(page: Path) -> set[str]:
    """What ``#`` can point to: headings in lower case, blanks as hyphens."""
    headings: list[str] = HEADING.findall(prose(page))
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in headings
    }


def targets(page: Path) -> Iterator[tuple[str, Path, str]]:
    """The links of a page to files of the repository: as written, file, anchor."""
    links: list[str] = LINK.findall(prose(page))
    for link in links:
        if not re.match(r"[a-z]+:", link):
            name, _, anchor = link.partition("#")
            yield link, (page.parent / name).resolve() if name else page, anchor


def dead(page: Path) -> list[str]:
    """The links of a page that lead nowhere."""
    return [
        link
        for link, file, anchor in targets(page)
        if not file.exists() or (anchor and anchor not in anchors(file))
    ]


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name: str) -> None:
    """Each relative link names a file, and its anchor a heading of that page."""
    assert not dead(ROOT / name)


def test_links_of_the_news_lead_somewhere() -> None:
    """Those of every fragment."""
    found = {page.name: dead(page) for page in NEWS}

    assert {name: links for name, links in found.items() if links} == {}


def test_each_page_is_linked() -> None:
    """From docs/README.md a reader finds every page, but for the news fragments."""
    index = DOCS / "README.md"
    linked = {file for _, file, _ in targets(index)}
    lost = [
        page.relative_to(ROOT).as_posix()
        for page in PAGES
        if page.is_relative_to(DOCS)
        and not page.is_relative_to(DOCS / "changes")
        and page != index
        and page not in linked
    ]

    assert not lost, f"link from docs/README.md: {', '.join(lost)}"


def lacks_the_one_way(page: Path) -> bool:
    """Whether a page says how to install, and does not link to the page about it."""
    asks = re.search(
        r"^(\$ )?pip install '?workstream-", page.read_text(), re.MULTILINE
    )

    linked = {file for _, file, _ in targets(page)}
    return asks is not None and DOCS / "how-to" / "install.md" not in linked


def test_a_page_that_says_how_to_install_links_to_the_one_way() -> None:
    """Until the distributions are published, `pip install` of a name finds nothing."""
    lacking = [page.relative_to(ROOT).as_posix() for page in PAGES]

    assert [name for name in lacking if lacks_the_one_way(ROOT / name)] == []
