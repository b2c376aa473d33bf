"""The plugins, and the hook that offers them.

All actions have ``on_interrupt = RERUN``: each ends what a killed attempt has left
running, looks what there is, and goes on from there. So running one again after a crash
is always right, and there is nothing to ask a person about.
"""

from __future__ import annotations

from workstream import (
    ActionPlugin,
    CheckPlugin,
    Context,
    OnInterrupt,
    hookimpl,
    retries,
)
from workstream.plugins import AnyPlugin, Preview, PreviewContext

from ._actions import (
    check_clean,
    check_out,
    check_ref,
    clone,
    export,
    fetch,
)
from ._git import check_version
from ._previewing import foresee_checkout, foresee_clone, foresee_export, foresee_fetch
from ._requests import (
    CheckoutRequest,
    CheckoutResult,
    CleanRequest,
    CloneRequest,
    CloneResult,
    ExportRequest,
    ExportResult,
    FetchRequest,
    FetchResult,
    RefRequest,
    RefResult,
    TreeResult,
)
from ._validation import check


class GitClone(ActionPlugin[CloneRequest, CloneResult]):
    """Clone a repository; under its name it is there whole or not at all."""

    name: str = "git.clone"
    requires_programs: tuple[str, ...] = ("git",)
    retry: retries.RetryPolicy = retries.SECONDS
    on_interrupt: OnInterrupt = OnInterrupt.RERUN

    def validate(self, request: CloneRequest, /) -> None:
        """Refuse a request that can never work, with all its faults (V-19)."""
        check(request)

    async def init(self) -> None:
        """See that git is there, and new enough (REG-6)."""
        await check_version()

    async def execute(self, context: Context, request: CloneRequest, /) -> CloneResult:
        """Clone, unless it is there."""
        return await clone(context, request)

    async def preview(
        self, context: PreviewContext, request: CloneRequest, /
    ) -> Preview:
        """Say what would be cloned; nothing is written."""
        return await foresee_clone(context, request)


class GitFetch(ActionPlugin[FetchRequest, FetchResult]):
    """Fetch new commits and refs into a repository."""

    name: str = "git.fetch"
    requires_programs: tuple[str, ...] = ("git",)
    retry: retries.RetryPolicy = retries.SECONDS
    on_interrupt: OnInterrupt = OnInterrupt.RERUN

    def validate(self, request: FetchRequest, /) -> None:
        """Refuse a request that can never work, with all its faults (V-19)."""
        check(request)

    async def init(self) -> None:
        """See that git is there, and new enough (REG-6)."""
        await check_version()

    async def execute(self, context: Context, request: FetchRequest, /) -> FetchResult:
        """Fetch."""
        return await fetch(context, request)

    async def preview(
        self, context: PreviewContext, request: FetchRequest, /
    ) -> Preview:
        """Say which refs would become others; nothing is written."""
        return await foresee_fetch(context, request)


class GitCheckout(ActionPlugin[CheckoutRequest, CheckoutResult]):
    """Bring a working tree to an exact revision: cloned, fetched, or as it is."""

    name: str = "git.checkout"
    requires_programs: tuple[str, ...] = ("git",)
    retry: retries.RetryPolicy = retries.SECONDS
    on_interrupt: OnInterrupt = OnInterrupt.RERUN

    def validate(self, request: CheckoutRequest, /) -> None:
        """Refuse a request that can never work, with all its faults (V-19)."""
        check(request)

    async def init(self) -> None:
        """See that git is there, and new enough (REG-6)."""
        await check_version()

    async def execute(
        self, context: Context, request: CheckoutRequest, /
    ) -> CheckoutResult:
        """Check out the revision, unless it is checked out."""
        return await check_out(context, request)

    async def preview(
        self, context: PreviewContext, request: CheckoutRequest, /
    ) -> Preview:
        """Say what would change; nothing is written."""
        return await foresee_checkout(context, request)


class GitExport(ActionPlugin[ExportRequest, ExportResult]):
    """Make a directory with the files of a revision, and nothing of git's."""

    name: str = "git.export"
    requires_programs: tuple[str, ...] = ("git",)
    retry: retries.RetryPolicy = retries.SECONDS
    on_interrupt: OnInterrupt = OnInterrupt.RERUN

    def validate(self, request: ExportRequest, /) -> None:
        """Refuse a request that can never work, with all its faults (V-19)."""
        check(request)

    async def init(self) -> None:
        """See that git is there, and new enough (REG-6)."""
        await check_version()

    async def execute(
        self, context: Context, request: ExportRequest, /
    ) -> ExportResult:
        """Export the revision, unless its files are there."""
        return await export(context, request)

    async def preview(
        self, context: PreviewContext, request: ExportRequest, /
    ) -> Preview:
        """Say what would be exported; nothing is written."""
        return await foresee_export(context, request)


class GitRef(CheckPlugin[RefRequest, RefResult]):
    """Check what a branch, a tag or HEAD stands for, here or elsewhere."""

    name: str = "git.ref"
    safe_in_preview: bool = True
    requires_programs: tuple[str, ...] = ("git",)
    retry: retries.RetryPolicy = retries.SECONDS

    def validate(self, request: RefRequest, /) -> None:
        """Refuse a request that can never work, with all its faults (V-19)."""
        check(request)

    async def init(self) -> None:
        """See that git is there, and new enough (REG-6)."""
        await check_version()

    async def execute(self, context: Context, request: RefRequest, /) -> RefResult:
        """Look once."""
        return await check_ref(context, request)


class GitClean(CheckPlugin[CleanRequest, TreeResult]):
    """Check that a working tree has no changes of its own."""

    name: str = "git.clean"
    safe_in_preview: bool = True
    requires_programs: tuple[str, ...] = ("git",)
    retry: retries.RetryPolicy = retries.SECONDS

    def validate(self, request: CleanRequest, /) -> None:
        """Refuse a request that can never work, with all its faults (V-19)."""
        check(request)

    async def init(self) -> None:
        """See that git is there, and new enough (REG-6)."""
        await check_version()

    async def execute(self, context: Context, request: CleanRequest, /) -> TreeResult:
        """Look once."""
        return await check_clean(context, request)


@hookimpl
def workstream_plugins() -> list[AnyPlugin]:
    """Offer what the package brings."""
    return [GitClone(), GitFetch(), GitCheckout(), GitExport(), GitRef(), GitClean()]
