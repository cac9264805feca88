"""Keeps a step's process small: optional packages that it has no use for are not imported.

google-cloud-bigquery imports pyarrow, numpy and gRPC when they are installed, google-cloud-storage
gRPC and OpenTelemetry, httpx its command line's packages, requests what guesses the encoding of a
text that does not tell it: a second and 50 MB for nothing. All of them are optional to these
libraries, so each process hides them before its first import. google-api-core imports protobuf
for the details of gRPC's errors, which do not come without gRPC: an empty module stands in its
place. Only `python -m taxi_etl` does so; as a library the package changes nothing.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable
from types import ModuleType

OPTIONAL = (
    "click",
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
    "rich",
    "tqdm",
)
"""What the libraries import when it is there and do without when it is not."""

_GRPC_DETAILS = "google.rpc.error_details_pb2"


def hide_optional_packages(names: Iterable[str] = OPTIONAL) -> None:
    """Make `import` of the optional packages fail in this process, as if not installed."""
    for name in names:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]
    sys.modules.setdefault(_GRPC_DETAILS, ModuleType(_GRPC_DETAILS))
    # requests would say on stderr, which is for failures, that it can't guess
    warnings.filterwarnings("ignore", "Unable to find acceptable character detection")
