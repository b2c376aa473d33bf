"""The rules page defines every rule id that the repository cites."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

DOCS = Path(__file__).parent
ROOT = DOCS.parent
PAGE = DOCS / "reference" / "semantics.md"

PREFIXES = (
    *("OM", "V", "REG", "SUB", "ST", "E", "B", "Q", "C", "K", "A", "RP", "DA", "F"),
    *("SP", "R", "STO", "W", "CL", "BU", "UI", "T", "WA", "PV", "SD"),
    *("RT", "LK", "VF", "UN", "BG", "CT", "HO", "SK", "SN", "ZN", "OB"),
)
RULE = re.compile(rf"\b(?:{'|'.join(PREFIXES)})-\d+[a-z]?\b")
DEFINITION = re.compile(
    rf"^(?:\*\*|\| )((?:{'|'.join(PREFIXES)})-\d+[a-z]?)\b", re.MULTILINE
)
SECTION = re.compile(r"^## (\d+)\. ", re.MULTILINE)
SECTION_CITED = re.compile(r"\bsection (\d+)\b")
NOT_OURS = {"build", "dist", "__pycache__", "node_modules"}


def defined() -> list[str]:
    """The ids that the page defines, in its order."""
    return DEFINITION.findall(PAGE.read_text(encoding="utf-8"))


def files() -> Iterator[Path]:
    """Every Python file and page of the repository."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [n for n in folders if n[0] != "." and n not in NOT_OURS]
        for name in names:
            if name.endswith((".py", ".md")):
                yield Path(folder, name)


def unknown(pattern: re.Pattern[str], known: set[str]) -> list[str]:
    """Where something is cited that the page does not have."""
    return [
        f"{file.relative_to(ROOT)}:{number}: {match[0]}"
        for file in files()
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        for match in pattern.finditer(line)
        if match[match.lastindex or 0] not in known
    ]


def test_each_rule_is_defined_once() -> None:
    """An id names one rule, and a rule stands in one place."""
    assert [rule for rule, times in Counter(defined()).items() if times > 1] == []


def test_no_rule_is_missing() -> None:
    """Within a prefix the rules are numbered from 1, without a gap."""
    numbers: dict[str, set[int]] = {prefix: set() for prefix in PREFIXES}
    for rule in defined():
        prefix, number = rule.split("-")
        numbers[prefix].add(int(re.sub(r"\D", "", number)))

    assert {prefix: set(range(1, max(n) + 1)) for prefix, n in numbers.items()} == (
        numbers
    )


def test_cited_rules_can_be_looked_up() -> None:
    """Code, tests and pages cite only rules that the page defines; so does the page."""
    cited = unknown(RULE, set(defined()))

    assert not cited, "rules that semantics.md does not define:\n" + "\n".join(cited)


def test_cited_sections_can_be_looked_up() -> None:
    """A section that is cited by its number is a section of the page."""
    cited = unknown(
        SECTION_CITED, set(SECTION.findall(PAGE.read_text(encoding="utf-8")))
    )

    assert not cited, "sections that semantics.md does not have:\n" + "\n".join(cited)


def test_searching_finds_a_wrong_citation() -> None:
    """The search sees an id that is not defined, wherever it stands in a line."""
    # Put together here, so that this file does not itself cite a rule that is none.
    wrong = "-".join(("STO", "99"))

    assert [wrong] == RULE.findall(f"durable ({wrong}), not UTF-8 or X-02")
    assert wrong not in defined()
