"""Keeps a step's process small: what it has no use for is not imported, collected or taken apart.

google-cloud-bigquery imports pyarrow, numpy and gRPC when they are installed, google-cloud-storage
gRPC and OpenTelemetry, requests what guesses the encoding of a text that does not tell it: a second
and 50 MB for nothing. All of them are optional to these libraries, so each process hides them
before its first import. google-api-core imports protobuf for the details of gRPC's errors, which do
not come without gRPC: an empty module stands in its place. google-auth imports cryptography to sign
with keys of service accounts, which nobody here has: those modules are run by who first uses them,
and so is what the libraries import of the standard library for rare cases; regular expressions are
compiled by who first uses them. Only the steps' processes do so; as a library the package changes
nothing.
"""

from __future__ import annotations

import atexit
import gc
import sys
import warnings
from collections.abc import Iterable
from types import ModuleType

from taxi_etl.later import compile_later, put_off

OPTIONAL = (
    "db_dtypes",
    "geopandas",
    "google.cloud.bigquery_storage",
    "google.cloud.bigquery_storage_v1",
    "grpc",
    "IPython",
    "chardet",
    "charset_normalizer",
    "numpy",
    "opentelemetry",
    "pandas",
    "pyarrow",
    "tqdm",
)
"""What the libraries import when it is there and do without when it is not."""

LATER = (
    "google.auth._service_account_info",
    "google.auth.iam",
    "google.auth.jwt",
    "google.protobuf.duration_pb2",
    "google.protobuf.timestamp_pb2",
)
"""What the libraries import and use in few cases: signing, and the times of gRPC's answers."""

SELDOM = (
    "asyncio",
    "bz2",
    "csv",
    "ctypes.util",
    "email.policy",
    "idna",
    "lzma",
    "subprocess",
    "traceback",
    "xml.etree.ElementTree",
)
"""What they import for another loop, another compression, another host, an error: not for a step.

psycopg uses asyncio when it is imported; without it nobody does.
"""

_NEW_OBJECTS = 100_000
"""So many objects more than before, and Python looks for circles that nobody holds: its own 700
are reached by every second module that is imported, and none of that is ever given back."""

_GRPC_DETAILS = "google.rpc.error_details_pb2"


def start() -> None:
    """Make this a step's process, before it imports anything else."""
    collect_seldom()
    hide_optional_packages()
    put_off((*LATER, *SELDOM))
    compile_later()


def collect_seldom() -> None:
    """Have Python seldom look for circles that nobody holds, and never at its end.

    A process that ends gives its memory back as a whole: Python would first look through every
    object of every module once more, for a fifth of the time that a start takes.
    """
    gc.set_threshold(_NEW_OBJECTS)
    atexit.register(gc.freeze)  # registered first: runs when all others have run


def hide_optional_packages(names: Iterable[str] = OPTIONAL) -> None:
    """Make `import` of the optional packages fail in this process, as if not installed."""
    for name in names:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]
    sys.modules.setdefault(_GRPC_DETAILS, ModuleType(_GRPC_DETAILS))
    # requests would say on stderr, which is for failures, that it can't guess
    warnings.filterwarnings("ignore", "Unable to find acceptable character detection")
