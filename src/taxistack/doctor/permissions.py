"""What `up`, `verify` and `down` do with a project, as permissions, under the role that has them.

The roles are those that infra/bootstrap/ci.tf gives to the CI identity, which brings stacks up and
takes them down too. Asked of Resource Manager (`projects.testIamPermissions`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping


def _each(prefix: str, verbs: str) -> tuple[str, ...]:
    return tuple(f"{prefix}.{verb}" for verb in verbs.split())


ROLES: Mapping[str, tuple[str, ...]] = {
    "roles/bigquery.dataOwner": (
        *_each("bigquery.datasets", "create delete get update"),
        *_each("bigquery.tables", "getData list"),
    ),
    "roles/bigquery.jobUser": ("bigquery.jobs.create",),
    "roles/compute.instanceAdmin.v1": (
        *_each("compute.disks", "addResourcePolicies create createSnapshot delete get list"),
        *_each("compute.disks", "removeResourcePolicies resize use"),
        *_each("compute.instances", "create delete get getGuestAttributes list setMetadata"),
        *_each("compute.instances", "setDeletionProtection setServiceAccount start stop"),
        *_each("compute.resourcePolicies", "create delete get list"),
        *_each("compute.snapshots", "create delete get list setLabels useReadOnly"),
        "compute.subnetworks.use",
    ),
    "roles/compute.networkAdmin": (
        *_each("compute.networks", "create delete get list"),
        *_each("compute.routers", "create delete get list update"),
        *_each("compute.subnetworks", "create delete get list update"),
    ),
    "roles/compute.securityAdmin": (
        *_each("compute.firewalls", "create delete get list update"),
        "compute.networks.updatePolicy",
    ),
    "roles/iam.serviceAccountCreator": _each("iam.serviceAccounts", "create get list"),
    "roles/iam.serviceAccountDeleter": ("iam.serviceAccounts.delete",),
    "roles/iam.serviceAccountUser": ("iam.serviceAccounts.actAs",),
    "roles/iap.tunnelResourceAccessor": ("iap.tunnelInstances.accessViaIAP",),
    "roles/logging.configWriter": _each("logging.logMetrics", "create delete get list update"),
    "roles/monitoring.alertPolicyEditor": _each(
        "monitoring.alertPolicies", "create delete get list update"
    ),
    "roles/monitoring.notificationChannelEditor": _each(
        "monitoring.notificationChannels", "create delete get list update"
    ),
    "roles/resourcemanager.projectIamAdmin": _each(
        "resourcemanager.projects", "getIamPolicy setIamPolicy"
    ),
    "roles/secretmanager.admin": (
        *_each("secretmanager.secrets", "create delete get getIamPolicy list setIamPolicy"),
        *_each("secretmanager.versions", "access add destroy get"),
    ),
    "roles/serviceusage.serviceUsageAdmin": _each("serviceusage.services", "enable list"),
    "roles/storage.admin": (
        *_each("storage.buckets", "create delete get getIamPolicy list setIamPolicy update"),
        *_each("storage.objects", "create delete get list"),
    ),
}

AT_ONCE = 100
"""So many permissions one call takes at most."""
PERMISSIONS = tuple(sorted({permission for held in ROLES.values() for permission in held}))


def roles_for(lacking: Collection[str]) -> list[str]:
    """The roles that hold the permissions in `lacking`."""
    return [role for role, held in ROLES.items() if set(held) & set(lacking)]
