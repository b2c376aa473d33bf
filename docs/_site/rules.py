"""Every rule id of the semantics is an anchor, and wherever it is cited it is a link.

``**R-8 A check group that ...**`` and ``| V-17 | ...`` on the page of rules define an id.
``R-8`` in the text of any page or docstring then leads there. Code is left alone.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.nodes import make_refnode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sphinx.application import Sphinx

PAGE = "reference/semantics"
RULE = re.compile(r"\b([A-Z]{1,3}-[0-9]+[a-z]?)\b")
LEFT_ALONE = (
    nodes.reference,
    nodes.literal,
    nodes.literal_block,
    nodes.title,
    nodes.raw,
)


class RuleAnchors(SphinxTransform):
    """Give each rule on the page of rules its id as an anchor."""

    default_priority = 500

    def apply(self, **_: Any) -> None:
        """Look at what begins a paragraph or a row of a table."""
        if self.env.docname != PAGE:
            return
        known: dict[str, str] = self.env.domaindata.setdefault("workstream_rules", {})
        for text in list(self.document.findall(nodes.Text)):
            found = RULE.match(text.astext())
            if found is None or found[1] in known:
                continue
            parent = text.parent
            begins_bold = isinstance(parent, nodes.strong) and (
                parent.parent.astext().startswith(text.astext())
            )
            begins_row = isinstance(parent, nodes.paragraph) and isinstance(
                parent.parent, nodes.entry
            )
            if begins_bold or (begins_row and text.astext() == found[1]):
                holder = parent.parent
                holder["ids"].append(found[1])
                known[found[1]] = PAGE


class RuleLinks(SphinxPostTransform):
    """Make a link of each rule id that is cited."""

    default_priority = 5
    builders = ("html", "dirhtml")

    def run(self, **_: Any) -> None:
        """Split each text at the ids in it."""
        known: dict[str, str] = self.env.domaindata.get("workstream_rules", {})
        for text in list(self.document.findall(nodes.Text)):
            if RULE.search(text) is None or self._is_left_alone(text):
                continue
            text.parent.replace(text, list(self._parts(text.astext(), known)))

    def _is_left_alone(self, text: nodes.Text) -> bool:
        """Whether the text is code, a heading, a link, or the rule itself."""
        node: Any = text.parent
        while node is not None:
            if isinstance(node, LEFT_ALONE):
                return True
            if self.env.docname == PAGE and set(RULE.findall(text)) & set(
                node.get("ids", ()) if isinstance(node, nodes.Element) else ()
            ):
                return True
            node = node.parent
        return False

    def _parts(self, text: str, known: dict[str, str]) -> Iterator[nodes.Node]:
        """The text between the ids, and a link for each."""
        end = 0
        for found in RULE.finditer(text):
            rule = found[1]
            if rule not in known:
                continue
            yield nodes.Text(text[end : found.start()])
            yield make_refnode(
                self.app.builder, self.env.docname, PAGE, rule, nodes.Text(rule)
            )
            end = found.end()
        yield nodes.Text(text[end:])


def setup(app: Sphinx) -> dict[str, Any]:
    """Add both."""
    app.add_transform(RuleAnchors)
    app.add_post_transform(RuleLinks)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
