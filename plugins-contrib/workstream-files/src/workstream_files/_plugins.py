"""The plugins, one a verb, and the hook that offers them.

All actions have ``on_interrupt = RERUN``: each looks first whether what it is to do is
done, does it in one step that is seen whole or not at all, and removes what a killed
attempt has left. So running one again after a crash is always right, and there is
nothing to ask a person about.
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
from workstream.plugins import AnyPlugin, Preview, PreviewContext, python_interpreter

from ._changing.linking import foresee_link, switch_link
from ._changing.making import foresee_file, make_file
from ._changing.previewing import as_text
from ._changing.removing import foresee_removal, remove
from ._looking import (
    check_checksum,
    check_content,
    check_exists,
    check_space,
    foresee_wait,
    wait,
)
from ._requests import (
    ChecksumRequest,
    ContentRequest,
    CopyRequest,
    ExistsRequest,
    FileChange,
    FileFacts,
    LinkRequest,
    RemoveRequest,
    SpaceFacts,
    SpaceRequest,
    TemplateRequest,
    WaitRequest,
    WriteRequest,
)
from ._threads import in_thread
from ._validation import check


class WriteFile(ActionPlugin[WriteRequest, FileChange]):
    """Give a file its content, permissions and owner, all of it or nothing."""

    name: str = "files.write"
    retry: retries.RetryPolicy = retries.SECONDS
    on_interrupt: OnInterrupt = OnInterrupt.RERUN

    def validate(self, request: WriteRequest, /) -> None:
        """Refuse a request that can never work, with all its faults (V-19)."""
        check(request)

    async def execute(self, context: Context, request: WriteRequest, /) -> FileChange:
        """Write the file, unless it is as wanted."""
        return _told(context, await make_file(request, context.idempotency_key))

    async def preview(
        self, context: PreviewContext, request: WriteRequest, /
    ) -> Preview:
        """Say what would change; nothing is written."""
        return await foresee_file(request)


class RenderTemplate(ActionPlugin[TemplateRequest, FileChange]):
    """Give a file the content that a Jinja template makes of values."""

    name: str = "files.template"
    retry: retries.RetryPolicy = retries.SECONDS
    on_interrupt: OnInterrupt = OnInterrupt.RERUN

    def validate(self, request: TemplateRequest, /) -> None:
        """Refuse a request that can never work, with all its faults (V-19)."""
        check(request)

    async def init(self) -> None:
        """See that there is a Python interpreter for templates (REG-6)."""
        python_interpreter()

    async def execute(
        self, context: Context, request: TemplateRequest, /
    ) -> FileChange:
        """Render the template and write the file, unless it is as wanted."""
        return _told(context, await make_file(request, context.idempotency_key))

    async def preview(
        self, context: PreviewContext, request: TemplateRequest, /
    ) -> Preview:
        """Say what would change; nothing is written."""
        return await foresee_file(request)


class CopyFile(ActionPlugin[CopyRequest, FileChange]):
    """Make a file a copy of another on the same machine."""

    name: str = "files.copy"
    retry: retries.RetryPolicy = retries.SECONDS
    on_interrupt: OnInterrupt = OnInterrupt.RERUN

    def validate(self, request: CopyRequest, /) -> None:
        """Refuse a request that can never work, with all its faults (V-19)."""
        check(request)

    async def execute(self, context: Context, request: CopyRequest, /) -> FileChange:
        """Copy the file, unless the copy is as wanted."""
        return _told(context, await make_file(request, context.idempotency_key))

    async def preview(
        self, context: PreviewContext, request: CopyRequest, /
    ) -> Preview:
        """Say what would change; nothing is written."""
        return await foresee_file(request)


class SwitchLink(ActionPlugin[LinkRequest, FileChange]):
    """Make a symbolic link, or switch it to another target in one step."""

    name: str = "files.link"
    retry: retries.RetryPolicy = retries.SECONDS
    on_interrupt: OnInterrupt = OnInterrupt.RERUN

    def validate(self, request: LinkRequest, /) -> None:
        """Refuse a request that can never work, with all its faults (V-19)."""
        check(request)

    async def execute(self, context: Context, request: LinkRequest, /) -> FileChange:
        """Make or switch the link, unless it leads there already."""
        return _told(
            context, await in_thread(switch_link, request, context.idempotency_key)
        )

    async def preview(
        self, context: PreviewContext, request: LinkRequest, /
    ) -> Preview:
        """Say what would change; nothing is written."""
        return await in_thread(foresee_link, request)


class RemovePath(ActionPlugin[RemoveRequest, FileChange]):
    """Remove a file, a link, or a directory; it is gone at once and whole."""

    name: str = "files.remove"
    retry: retries.RetryPolicy = retries.SECONDS
    on_interrupt: OnInterrupt = OnInterrupt.RERUN

    def validate(self, request: RemoveRequest, /) -> None:
        """Refuse a request that can never work, with all its faults (V-19)."""
        check(request)

    async def execute(self, context: Context, request: RemoveRequest, /) -> FileChange:
        """Remove it, if it is there."""
        return _told(context, await in_thread(remove, request, context.idempotency_key))

    async def preview(
        self, context: PreviewContext, request: RemoveRequest, /
    ) -> Preview:
        """Say what would be removed; nothing is."""
        return await in_thread(foresee_removal, request)


class WaitForFile(ActionPlugin[WaitRequest, FileFacts]):
    """Wait until a file is there, or gone, up to the action's timeout.

    It is an action, so that a sequence can wait in the middle of its work; it changes
    nothing.
    """

    name: str = "files.wait"
    on_interrupt: OnInterrupt = OnInterrupt.RERUN

    def validate(self, request: WaitRequest, /) -> None:
        """Refuse a request that can never work, with all its faults (V-19)."""
        check(request)

    async def execute(self, context: Context, request: WaitRequest, /) -> FileFacts:
        """Wait; the action's timeout ends it."""
        return await wait(request)

    async def preview(
        self, context: PreviewContext, request: WaitRequest, /
    ) -> Preview:
        """Say whether there would be anything to wait for."""
        return await in_thread(foresee_wait, request)


class FileExists(CheckPlugin[ExistsRequest, FileFacts]):
    """Check that something is there, of the right kind, or that nothing is."""

    name: str = "files.exists"
    safe_in_preview: bool = True

    def validate(self, request: ExistsRequest, /) -> None:
        """Refuse a request that can never work, with all its faults (V-19)."""
        check(request)

    async def execute(self, context: Context, request: ExistsRequest, /) -> FileFacts:
        """Look once."""
        return await in_thread(check_exists, request)


class FileContent(CheckPlugin[ContentRequest, FileFacts]):
    """Check what a file holds."""

    name: str = "files.content"
    safe_in_preview: bool = True

    def validate(self, request: ContentRequest, /) -> None:
        """Refuse a request that can never work, with all its faults (V-19)."""
        check(request)

    async def execute(self, context: Context, request: ContentRequest, /) -> FileFacts:
        """Look once."""
        return await in_thread(check_content, request)


class FileChecksum(CheckPlugin[ChecksumRequest, FileFacts]):
    """Check that a file is the right one, by its checksum."""

    name: str = "files.checksum"
    safe_in_preview: bool = True

    def validate(self, request: ChecksumRequest, /) -> None:
        """Refuse a request that can never work, with all its faults (V-19)."""
        check(request)

    async def execute(self, context: Context, request: ChecksumRequest, /) -> FileFacts:
        """Look once."""
        return await in_thread(check_checksum, request)


class FreeSpace(CheckPlugin[SpaceRequest, SpaceFacts]):
    """Check that a file system has room."""

    name: str = "files.space"
    safe_in_preview: bool = True

    def validate(self, request: SpaceRequest, /) -> None:
        """Refuse a request that can never work, with all its faults (V-19)."""
        check(request)

    async def execute(self, context: Context, request: SpaceRequest, /) -> SpaceFacts:
        """Look once."""
        return await in_thread(check_space, request)


@hookimpl
def workstream_plugins() -> list[AnyPlugin]:
    """Offer what the package brings."""
    return [
        WriteFile(),
        RenderTemplate(),
        CopyFile(),
        SwitchLink(),
        RemovePath(),
        WaitForFile(),
        FileExists(),
        FileContent(),
        FileChecksum(),
        FreeSpace(),
    ]


def _told(context: Context, change: FileChange) -> FileChange:
    """Tell watchers what was done."""
    context.report(as_text(change.path, change.details))
    return change
