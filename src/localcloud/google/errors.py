"""What this provider refuses, as Terraform shows it.

localcloud.errors.CloudError
└── ApiError          the request can't be done; the message is the diagnostic's summary
    └── AlreadyExists another object has this id
"""

from __future__ import annotations

from localcloud.errors import CloudError


class ApiError(CloudError):
    """A request that the stand-in refuses; the text is what Terraform prints."""


class AlreadyExists(ApiError):
    """An object with this id is there already, as Google Cloud's error 409 says it."""

    def __init__(self, object_id: str) -> None:
        """`object_id`: the id that is taken; the same text serves `terraform import`."""
        super().__init__(f"Error 409: The resource '{object_id}' already exists, alreadyExists")
        self.object_id = object_id
