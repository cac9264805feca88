"""What can go wrong in the local cloud.

    CloudError
    ├── FolderError      the folder of the local cloud can't be used (not writable, not a folder)
    ├── BusyError        another command is starting or stopping the same local cloud
    ├── MissingError     this machine lacks something that a part needs
    ├── PartError        a part did not come up, or died; carries the end of its log
    ├── StopError        something did not end when it was told to
    ├── SupervisorError  the supervisor does not answer, or did not start
    └── DownloadError    a file could not be fetched, or is not the one that the lock names

A message says which part, which file, what is half done and what to do next; it never carries
a secret.
"""

from __future__ import annotations


class CloudError(Exception):
    """The root of the tree."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        """`message`: what happened, for a person. `hint`: what to do next."""
        super().__init__(message)
        self.message = message
        self.hint = hint


class FolderError(CloudError):
    """The folder of the local cloud can't be used; the message says why."""


class BusyError(CloudError):
    """Another command holds the local cloud; the message names its process."""


class MissingError(CloudError):
    """This machine lacks something that a part needs; the message says what."""


class PartError(CloudError):
    """A part did not come up, or died."""

    def __init__(self, part: str, message: str, *, log: str = "", hint: str | None = None) -> None:
        """`log`: the last lines that the part wrote; they stand below the message."""
        text = f"{part}: {message}"
        if log:
            text += "\n" + "\n".join(f"    {line}" for line in log.splitlines())
        super().__init__(text, hint=hint)
        self.part = part
        self.log = log


class StopError(CloudError):
    """A process of the local cloud did not end."""


class SupervisorError(CloudError):
    """The supervisor is not there, or did not start."""


class DownloadError(CloudError):
    """A file could not be fetched, or what came is not what the lock names."""
