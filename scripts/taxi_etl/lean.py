"""Keeps a step's process small: optional packages that it has no use for are not imported.

google-cloud-bigquery imports pyarrow, numpy and gRPC when they are installed, google-cloud-storage
gRPC and OpenTelemetry, httpx its command line's packages: a second and 50 MB for nothing. All of
them are optional to these libraries, so each process hides them before its first import. Only
`python -m taxi_etl` does so; as a library the package changes nothing.
"""

from __future__ import annotations

import sys

OPTIONAL = (
    "click",
    "db_dtypes",
    "geopandas",
    "google.cloud.bigquery_storage",
    "google.cloud.bigquery_storage_v1",
    "grpc",
    "IPython",
    "numpy",
    "opentelemetry",
    "pandas",
    "pyarrow",
    "rich",
    "tqdm",
)
"""What the libraries import when it is there and do without when it is not."""


def hide_optional_packages() -> None:
    """Make `import` of every optional package fail in this process, as if not installed."""
    for name in OPTIONAL:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]
