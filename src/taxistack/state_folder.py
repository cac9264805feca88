"""The state folder: one that taxistack made, or makes; never a folder that was somebody's before.

`down` removes what lies in it, so a folder with other things in it is refused. A mark tells.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from taxistack.errors import UsageError

MARK = ".taxistack-state"
_TEXT = """This folder belongs to taxistack: state, logs and the local cloud's data.
`invoke down` removes what taxistack made in it.
"""


def check(folder: Path) -> None:
    """Raises UsageError for what is no folder, or holds something that taxistack did not make."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"setting state: {folder} is not a folder")
    if not folder.is_dir() or (folder / MARK).exists() or _made_before_there_was_a_mark(folder):
        return
    names = sorted(path.name for path in folder.iterdir())
    if names:
        more = ", …" if len(names) > 3 else ""
        raise UsageError(
            f"setting state: {folder} is not empty, and taxistack did not make it "
            f"({', '.join(names[:3])}{more})",
            hint="name a folder that is empty or not there yet",
        )


def claim(folder: Path) -> None:
    """Make the folder, or take one that is there, close it to others, and mark it.

    Raises UsageError as `check` does.
    """
    check(folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_mode & 0o077:
        with suppress(PermissionError):  # it is lent to us
            folder.chmod(0o700)
    if not (folder / MARK).exists():
        (folder / MARK).write_text(_TEXT, encoding="utf-8")


def release(folder: Path) -> None:
    """Remove it when nothing but the mark is in it."""
    if folder.is_dir() and [path.name for path in folder.iterdir()] in ([], [MARK]):
        (folder / MARK).unlink(missing_ok=True)
        folder.rmdir()


def _made_before_there_was_a_mark(folder: Path) -> bool:
    return (folder / "cloud" / "state.json").is_file()
