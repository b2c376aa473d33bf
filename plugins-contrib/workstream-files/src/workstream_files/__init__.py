"""Files as workstream actions and checks: seen whole, or as they were before.

::

    WriteFile.action(WriteRequest(path="/etc/motd", content="Hello\\n"), name="Greet")
    SwitchLink.action(LinkRequest(path="/srv/app", target="app-42"), name="Switch")
    FreeSpace.action(SpaceRequest(path="/srv", free="5 GiB"), name="Disk has room")
"""

from ._plugins import (
    CopyFile,
    FileChecksum,
    FileContent,
    FileExists,
    FreeSpace,
    RemovePath,
    RenderTemplate,
    SwitchLink,
    WaitForFile,
    WriteFile,
    workstream_plugins,
)
from ._requests import (
    ChecksumRequest,
    Content,
    ContentRequest,
    CopyRequest,
    ExistsRequest,
    FileChange,
    FileFacts,
    Kind,
    LinkRequest,
    RemoveRequest,
    SpaceFacts,
    SpaceRequest,
    TemplateRequest,
    WaitRequest,
    WriteRequest,
)

__all__ = [
    "ChecksumRequest",
    "Content",
    "ContentRequest",
    "CopyFile",
    "CopyRequest",
    "ExistsRequest",
    "FileChange",
    "FileChecksum",
    "FileContent",
    "FileExists",
    "FileFacts",
    "FreeSpace",
    "Kind",
    "LinkRequest",
    "RemovePath",
    "RemoveRequest",
    "RenderTemplate",
    "SpaceFacts",
    "SpaceRequest",
    "SwitchLink",
    "TemplateRequest",
    "WaitForFile",
    "WaitRequest",
    "WriteFile",
    "WriteRequest",
    "workstream_plugins",
]

workstream_plugin_api = 1
