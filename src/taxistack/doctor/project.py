"""The project: it exists, is paid for, its APIs are on, and whoever runs this may use it."""

from __future__ import annotations

from taxistack.doctor.check import Check, Found
from taxistack.doctor.permissions import AT_ONCE, PERMISSIONS, roles_for
from taxistack.doctor.surroundings import Surroundings
from taxistack.errors import MissingError
from taxistack.google import Api, DisabledApiError, ForbiddenError, NotFoundError, services
from taxistack.settings import LOCAL_PROJECT

SETUP = "invoke setup"
OBJECTS = ("storage.objects.create", "storage.objects.delete", "storage.objects.get")


def setting(here: Surroundings) -> Check:
    """The default is the local cloud's project, which is nobody's on Google Cloud."""
    return Check.of(
        "project setting",
        here.project != LOCAL_PROJECT,
        here.project if here.project != LOCAL_PROJECT else f"{here.project}, the local default",
        "the id of your project",
        "export INVOKE_TAXISTACK_PROJECT=my-project (gcloud projects list shows yours)",
    )


def exists(here: Surroundings) -> Check:
    """Service Usage knows it, and it is not about to be deleted."""
    try:
        _ = here.enabled
    except MissingError as error:
        return Check("project", Found.WRONG, error.message, "a project", error.hint or "")
    try:
        answer = here.google.get(
            Api.RESOURCE_MANAGER, f"projects/{here.project}", doing=f"project {here.project}"
        )
    except (DisabledApiError, ForbiddenError):
        return Check("project", Found.OK, here.project)  # the row APIs, or roles, says the rest
    state = answer.get("lifecycleState", "")
    return Check.of(
        "project",
        state == "ACTIVE",
        f"{here.project} is {state}",
        "an active project",
        f"gcloud projects undelete {here.project}",
    )


def apis(here: Surroundings) -> Check:
    """Those that infra/ uses, and Cloud Billing, which this asks."""
    wanted = services.needed()
    off = [name for name in wanted if name not in here.enabled]
    return Check.of(
        "APIs",
        not off,
        f"off: {', '.join(off)}" if off else f"{len(wanted)} are on",
        f"{len(wanted)} APIs",
        SETUP,
    )


def billing(here: Surroundings) -> Check:
    """Somebody pays for it; who, is not asked."""
    try:
        answer = here.google.get(
            Api.BILLING,
            f"projects/{here.project}/billingInfo",
            doing=f"billing of project {here.project}",
        )
    except DisabledApiError:
        said = "the Cloud Billing API is off"
        return Check("billing", Found.UNKNOWN, said, "a billing account", SETUP)
    on = bool(answer.get("billingEnabled"))
    return Check.of(
        "billing",
        on,
        "on" if on else "off",
        "a billing account",
        services.no_billing(here.project).hint or "",
    )


def roles(here: Surroundings) -> Check:
    """What `up`, `verify` and `down` need, asked as permissions; the mend names roles."""
    held: set[str] = set()
    try:
        for at in range(0, len(PERMISSIONS), AT_ONCE):
            answer = here.google.call(
                "POST",
                Api.RESOURCE_MANAGER,
                f"projects/{here.project}:testIamPermissions",
                doing=f"your rights in project {here.project}",
                json={"permissions": PERMISSIONS[at : at + AT_ONCE]},
            )
            held.update(answer.get("permissions", []))
    except DisabledApiError:
        said = "the Cloud Resource Manager API is off"
        return Check("roles", Found.UNKNOWN, said, "the roles of a deployer", SETUP)
    lacking = sorted(set(PERMISSIONS) - held)
    lost = roles_for(lacking)
    shown = ", ".join(lacking[:3]) + (f" and {len(lacking) - 3} more" if len(lacking) > 3 else "")
    member = here.member or "user:YOUR_EMAIL"
    mends = [
        f"gcloud projects add-iam-policy-binding {here.project} --member={member} --role={role} "
        "--condition=None"
        for role in lost
    ]
    return Check.of(
        "roles",
        not lacking,
        f"lacking: {shown}" if lacking else f"all {len(PERMISSIONS)} permissions",
        ", ".join(lost),
        " && ".join(mends),
    )


def state_bucket(here: Surroundings) -> Check:
    """It is there, and these credentials may read and write the states in it."""
    name = here.settings.tfstate_bucket
    needed = "the bucket of Terraform's states"
    try:
        bucket = here.google.get(Api.STORAGE, f"b/{name}", doing=f"the state bucket gs://{name}")
        held = here.google.get(
            Api.STORAGE,
            f"b/{name}/iam/testPermissions?"
            + "&".join(f"permissions={permission}" for permission in OBJECTS),
            doing=f"your rights in gs://{name}",
        )
    except NotFoundError:
        said = f"gs://{name} does not exist"
        return Check("state bucket", Found.WRONG, said, needed, SETUP)
    except ForbiddenError:
        return _forbidden_bucket(here, name, "may not be read")
    if lacking := sorted(set(OBJECTS) - set(held.get("permissions", []))):
        return _forbidden_bucket(here, name, f"lacking: {', '.join(lacking)}")
    versioned = bucket.get("versioning", {}).get("enabled")
    said = f"gs://{name} in {bucket.get('location', '?')}" + (
        "" if versioned else ", not versioned"
    )
    # A state that a bad apply wrote is mended by the version before.
    return Check.of("state bucket", bool(versioned), said, "versions of the states", SETUP)


def _forbidden_bucket(here: Surroundings, name: str, said: str) -> Check:
    member = here.member or "user:YOUR_EMAIL"
    return Check(
        "state bucket",
        Found.WRONG,
        f"gs://{name}: {said}",
        "roles/storage.admin on it; or another bucket, when it is another project's",
        f"gcloud storage buckets add-iam-policy-binding gs://{name} --member={member} "
        "--role=roles/storage.admin (or name another: setting state_bucket)",
    )
