"""The documentation site: the pages as they are, the API from its docstrings, and search.

``nox -s docs`` builds it, with warnings as errors. Three things are made here rather than
written down a second time: the contents at the side follow the lists of ``README.md``, the
news page shows the fragments of the next release, and every rule id links to its rule
(``_site/rules.py``).
"""

from __future__ import annotations

import re
import shutil
import sys
import tomllib
from importlib.metadata import version as version_of
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS / "_site"))

project = "workstream"
author = "the workstream authors"
project_copyright = author
version = release = version_of("workstream-engine")
root_doc = "README"
exclude_patterns = ["changes", "examples", "_build", "_site"]
# The page of the command line is written by hand: it says what an option is for, and
# core/tests/cli/test_cli_reference.py sees that it names every one. One made by
# sphinx-click would repeat what `--help` prints.
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "rules",
]

myst_enable_extensions = ["attrs_inline", "colon_fence"]
myst_heading_anchors = 4
# A link to a file that is no page (an example, the licence) leads to the file itself.
myst_links_external_new_tab = False
suppress_warnings = ["myst.xref_missing"]  # docs/test_links.py looks at every link

autodoc_typehints = "description"
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_class_signature = "separated"
napoleon_numpy_docstring = False
napoleon_use_rtype = False
copybutton_prompt_text = r"\$ |>>> "
copybutton_prompt_is_regexp = True

html_theme = "furo"
html_title = f"workstream {release}"
html_static_path = ["_site/static"]
html_css_files = ["workstream.css"]
html_theme_options = {"navigation_with_keys": True}

PYPROJECT = tomllib.loads((DOCS.parent / "pyproject.toml").read_text(encoding="utf-8"))
KINDS: dict[str, str] = {
    kind["directory"]: kind["name"]
    for kind in PYPROJECT["tool"]["towncrier"]["type"]
    if kind["showcontent"]
}
"""The kinds of news fragments, and their headings."""


def contents(readme: str) -> str:
    """The table of contents at the side, from the sections and links of the first page."""
    trees: list[str] = []
    for section in re.split(r"^## ", readme, flags=re.MULTILINE)[1:]:
        title = section.partition("\n")[0].partition(":")[0]
        pages = re.findall(r"\]\(((?!changes/)[^)#:]+)\.md\)", section)
        entries = "\n".join(dict.fromkeys(pages))
        trees.append(f"```{{toctree}}\n:hidden:\n:caption: {title}\n\n{entries}\n```\n")
    return "\n".join(trees)


def news() -> str:
    """The fragments of the next release, by kind, the newest issue first."""
    found: dict[str, list[str]] = {}
    fragments = (DOCS / "changes").glob("[0-9]*.md")
    for path in sorted(
        fragments, key=lambda path: (-int(path.name.split(".")[0]), path)
    ):
        title = KINDS.get(path.name.split(".")[1])
        if title is not None:
            text = " ".join(path.read_text(encoding="utf-8").split())
            found.setdefault(title, []).append(f"- {text}")
    order = [title for title in dict.fromkeys(KINDS.values()) if title in found]
    parts = [f"### {title}\n\n" + "\n".join(found[title]) for title in order]
    return "## In the next release\n\n" + "\n\n".join(parts)


def add_what_is_made(_: Sphinx, docname: str, source: list[str]) -> None:
    """Add to a page what is not written down in it."""
    if docname == root_doc:
        source[0] += "\n" + contents(source[0])
    elif docname == "changelog":
        mark = "<!-- towncrier release notes start -->"
        source[0] = source[0].replace(mark, f"{news()}\n\n{mark}")


def add_reports(app: Sphinx, error: Exception | None) -> None:
    """Put the reports that pages link beside them: they are pages of their own."""
    if error is None:
        shutil.copytree(DOCS / "reports", app.outdir / "reports", dirs_exist_ok=True)


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect it."""
    app.connect("source-read", add_what_is_made)
    app.connect("build-finished", add_reports)
    return {"parallel_read_safe": True}
