"""Where Google's APIs answer: the one place that says so, for the kit and for Terraform alike.

The real provider takes another base address of a product from the variable
`GOOGLE_<PRODUCT>_CUSTOM_ENDPOINT` (its guide "Provider reference", section "Advanced settings");
Terraform's GCS backend reads the one of Storage too. The kit reads the same variables, so that
provider and kit always speak to the same address. An address ends with the API's version, but for
Cloud Monitoring's.

Variables that name emulators (`STORAGE_EMULATOR_HOST`, `BIGQUERY_EMULATOR_HOST`) are not read:
the guides have users export them for the local target, and an emulator's emptiness would pass
for the proof that nothing is left in the project.
"""

from __future__ import annotations

import os
from enum import Enum
from urllib.parse import urlsplit

EMULATORS = ("STORAGE_EMULATOR_HOST", "BIGQUERY_EMULATOR_HOST")


class Api(Enum):
    """One API: its name in words, the variable of its address, and the address by default."""

    BIGQUERY = (
        "BigQuery",
        "GOOGLE_BIG_QUERY_CUSTOM_ENDPOINT",
        "https://bigquery.googleapis.com/bigquery/v2/",
    )
    BILLING = (
        "Cloud Billing",
        "GOOGLE_CLOUD_BILLING_CUSTOM_ENDPOINT",
        "https://cloudbilling.googleapis.com/v1/",
    )
    COMPUTE = (
        "Compute Engine",
        "GOOGLE_COMPUTE_CUSTOM_ENDPOINT",
        "https://compute.googleapis.com/compute/v1/",
    )
    IAM = ("IAM", "GOOGLE_IAM_CUSTOM_ENDPOINT", "https://iam.googleapis.com/v1/")
    LOGGING = (
        "Cloud Logging",
        "GOOGLE_LOGGING_CUSTOM_ENDPOINT",
        "https://logging.googleapis.com/v2/",
    )
    # The provider's address of this one has no version: its paths begin with it.
    MONITORING = (
        "Cloud Monitoring",
        "GOOGLE_MONITORING_CUSTOM_ENDPOINT",
        "https://monitoring.googleapis.com/",
    )
    # The provider has no variable for this one: it never asks whose a token is.
    OAUTH = ("Google OAuth", "GOOGLE_OAUTH2_CUSTOM_ENDPOINT", "https://oauth2.googleapis.com/")
    RESOURCE_MANAGER = (
        "Cloud Resource Manager",
        "GOOGLE_RESOURCE_MANAGER_CUSTOM_ENDPOINT",
        "https://cloudresourcemanager.googleapis.com/v1/",
    )
    SECRET_MANAGER = (
        "Secret Manager",
        "GOOGLE_SECRET_MANAGER_CUSTOM_ENDPOINT",
        "https://secretmanager.googleapis.com/v1/",
    )
    SERVICE_USAGE = (
        "Service Usage",
        "GOOGLE_SERVICE_USAGE_CUSTOM_ENDPOINT",
        "https://serviceusage.googleapis.com/v1/",
    )
    STORAGE = (
        "Cloud Storage",
        "GOOGLE_STORAGE_CUSTOM_ENDPOINT",
        "https://storage.googleapis.com/storage/v1/",
    )

    def __init__(self, title: str, variable: str, default: str) -> None:
        """`title`: as Google writes it in texts."""
        self.title = title
        self.variable = variable
        self.default = default

    @property
    def service(self) -> str:
        """The name under which a project enables it, such as `compute.googleapis.com`."""
        return urlsplit(self.default).netloc

    @property
    def address(self) -> str:
        """The base address with the version, ending with a slash."""
        return (os.environ.get(self.variable) or self.default).rstrip("/") + "/"

    @property
    def root(self) -> str:
        """The address without path, as the client libraries want it (`api_endpoint`)."""
        parts = urlsplit(self.address)
        path = parts.path.removesuffix(urlsplit(self.default).path)
        return f"{parts.scheme}://{parts.netloc}{path.rstrip('/')}"

    def url(self, path: str) -> str:
        """The address of `path`, which has no slash in front."""
        return self.address + path
