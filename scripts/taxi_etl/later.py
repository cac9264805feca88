"""What is done when it is first needed: modules are run, regular expressions compiled.

Python's own `importlib.util.LazyLoader` serves a module that is imported once: at the second
`import` it runs it (3.11), and it shows half of it to other threads.
"""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Iterable, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.abc import Loader  # half of the standard library comes with it


_COMPILE = re.compile


def compile_later() -> None:
    """Have a regular expression compiled when it is first used; one that is wrong is told then.

    The libraries of a step hold a hundred and use a quarter of them.
    """
    re.compile = _compile_later


def put_off(names: Iterable[str]) -> None:
    """Have these modules run by who first uses them, not by who first imports them.

    `from NAME import …` and an import of a submodule use it. A module that has been imported
    before is left alone.
    """
    sys.meta_path.insert(0, _Finder(frozenset(names)))


class _Finder:
    """Finds these modules where they are, and has them run later."""

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """As `importlib.abc.MetaPathFinder` says."""
        if name not in self._names or target is not None:  # the latter: it is reloaded
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Later(spec.loader)  # type: ignore[assignment]
        return spec


class _Later:
    """Stands before a module's own loader until the module is used."""

    def __init__(self, own: Loader) -> None:
        self._own = own
        self._lock = threading.RLock()
        self._begun = False

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """As the module's own loader does."""
        return self._own.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Leave it as it is: the names that an import needs are there, all others are missing."""
        module.__dict__.pop("__path__", None)  # a submodule is not found before its package is run
        module.__class__ = _Unused

    def run(self, module: ModuleType) -> None:
        """Run it; another thread that asks meanwhile waits until it is through."""
        with self._lock:
            if self._begun:  # by this thread: what is missing is not there yet
                return
            self._begun = True
            names = module.__dict__
            spec: ModuleSpec = names["__spec__"]
            names["__loader__"] = self._own
            if spec.submodule_search_locations is not None:
                names["__path__"] = spec.submodule_search_locations
            try:
                self._own.exec_module(module)
            except BaseException:
                self._begun = False
                raise
            module.__class__ = ModuleType
            spec.loader = self._own


class _Unused(ModuleType):
    """A module that nobody has asked for anything yet."""

    def __getattr__(self, name: str) -> object:
        _run(self)
        return ModuleType.__getattribute__(self, name)

    def __setattr__(self, name: str, value: object) -> None:
        _run(self)
        ModuleType.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        _run(self)
        ModuleType.__delattr__(self, name)


def _run(module: ModuleType) -> None:
    loader = module.__spec__ and module.__spec__.loader
    if isinstance(loader, _Later):
        loader.run(module)


class _Pattern:
    """A regular expression that nobody has used yet; to `isinstance` and `re` it is one."""

    def __init__(self, said: tuple[str | bytes, int]) -> None:
        self._said = said

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return re.Pattern

    def __getattr__(self, name: str) -> object:
        made: re.Pattern[Any] = _COMPILE(*self._said)
        # From now on each of its methods is found as quickly as its own
        self.__dict__.update({one: getattr(made, one) for one in dir(made) if one[:2] != "__"})
        return getattr(made, name)

    def __reduce__(self) -> tuple[object, ...]:
        return _compiled, self._said


def _compiled(pattern: str | bytes, flags: int) -> re.Pattern[Any]:
    return _COMPILE(pattern, flags)


def _compile_later(pattern: Any, flags: int = 0) -> Any:
    if isinstance(pattern, (str, bytes)):
        return _Pattern((pattern, flags))
    return _COMPILE(pattern, flags)
