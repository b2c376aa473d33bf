"""The findings of a dry run: plain values, in walk order."""

from __future__ import annotations

import enum
from collections import Counter

import attrs


class Forecast(enum.Enum):
    """What a dry run can say of one action or check (PV-2)."""

    CHANGE = "would change"
    """Its plugin says that it would change something."""
    NO_CHANGE = "would not change"
    """Its plugin says that all is as wanted."""
    UNKNOWN = "cannot predict"
    """Its plugin has no preview, or says that it cannot be told."""
    FAILED = "failed"
    """The preview failed, or a check did not pass where a run would fail."""
    PASSED = "passed"
    """A check was run, and passed."""
    NOT_PASSED = "did not pass"
    """A bypass check was run and did not pass: there is work to do."""
    NOT_RUN = "not run"
    """A check that is not for a dry run, or looks at what the plan changes first."""
    SKIPPED = "skipped"
    """A run would not come to it: it is bypassed, or only for a plan that failed."""


@attrs.frozen(kw_only=True)
class PreviewItem:
    """The finding about one action or check.

    Attributes:
        path: Its address in the plan (OM-15).
        plugin: Its plugin's name.
        is_check: Whether it is a check.
        forecast: What can be said of it.
        summary: One line: what would change, why it failed, or why nothing is known;
            empty where there is nothing to add.
        details: Further lines of the plugin's, such as those of a file that differ.
    """

    path: str
    plugin: str
    is_check: bool
    forecast: Forecast
    summary: str = ""
    details: tuple[str, ...] = ()

    def __str__(self) -> str:
        after = f": {self.summary}" if self.summary else ""
        return f"{self.path}: {self.forecast.value}{after}"


@attrs.frozen(kw_only=True)
class PlanPreview:
    """What a plan would change, as far as its plugins can tell (section 24).

    Secrets are hidden in all of it (CL-8). ``str()`` of it has a line for each action.

    Attributes:
        name: The plan's name.
        items: What was found out of each action and check, in walk order (W-1).
        bypassed: The paths of what a run would bypass: the plan, or blocks.
        stops: The paths of the check groups at which a run would fail. What comes after
            them was asked for as if they had passed.
    """

    name: str
    items: tuple[PreviewItem, ...]
    bypassed: tuple[str, ...] = ()
    stops: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing stands against the plan: no check and no preview failed."""
        return not self.count(Forecast.FAILED)

    @property
    def changes(self) -> bool | None:
        """Whether anything would change; None: nothing surely, and something perhaps."""
        if self.count(Forecast.CHANGE):
            return True
        unsure = self.count(Forecast.UNKNOWN) or any(
            item.forecast is Forecast.FAILED and not item.is_check
            for item in self.items
        )
        return None if unsure else False

    def count(self, forecast: Forecast) -> int:
        """Of how many actions and checks this was found out."""
        return Counter(item.forecast for item in self.items)[forecast]

    def __str__(self) -> str:
        return "\n".join(map(str, self.items))
