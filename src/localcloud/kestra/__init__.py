"""The real Kestra engine, embedded: built from Maven artifacts, with a REST face of our own.

`build` makes it runnable (compiled face, class-data archives), `built` tells whether it is, and
`python -m localcloud.kestra CONFIG` runs it. `java/` holds the face's sources, `engine.lock` the
engine's class-path, `build.lock` the compiler.
"""

from __future__ import annotations

from localcloud.kestra.build import build, built, require_built
from localcloud.kestra.runtime import engine_version

__all__ = ["build", "built", "engine_version", "require_built"]
