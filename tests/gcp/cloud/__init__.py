"""A Google Cloud of the tests' own: its REST APIs on loopback, as strict as the real ones.

    project = Project("some-project")
    with Google(project) as google:
        google.environment(folder)      variables that bring the kit and Terraform here
        google.fail("GET .*/secrets/", status=503, times=2)

Secret Manager, Service Usage, Resource Manager, Billing, Compute Engine, IAM and the token
exchange are answered here; what Terraform's provider stand-in has made is read from its own
records. Storage and BigQuery are the local cloud's emulators, behind the same door: no call
without a token, in a project that exists, of an API that is enabled.

Not as the real one: a stopped VM's Kestra goes on (the local cloud starts it anew by itself when
its configuration changes), permissions are those of the project only, and a list has one page.
"""

from tests.gcp.cloud.project import Project
from tests.gcp.cloud.server import Google
from tests.gcp.cloud.vm import inputs_hash

__all__ = ["Google", "Project", "inputs_hash"]
