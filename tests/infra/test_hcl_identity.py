"""What the roles of CI cannot do is never planned."""

from __future__ import annotations

ACCOUNT = "module.kestra[0].google_service_account.kestra"
PASSWORDS = {
    "alarm_webhook": "https://hooks.example.org/right-address-1",
    "kestra_password": "Right-Password-1",
    "postgres_password": "right-password-1",
}


def test_another_text_of_the_vms_account_changes_nothing(copy_root, tmp_path) -> None:
    """To change it takes iam.serviceAccounts.update, which none of CI's roles has."""
    infra = copy_root(tmp_path)
    (infra.folder / "backend_override.tf").write_text('terraform {\n  backend "local" {}\n}\n')
    infra("init", "-input=false", "-reconfigure")
    variables = {"project": "taxistack-local", "environment": "test", **PASSWORDS}
    one = ("-input=false", f"-target={ACCOUNT}")
    infra("apply", "-auto-approve", *one, variables=variables)
    path = infra.folder / "modules" / "kestra" / "identity.tf"
    text = path.read_text()
    for written in ("Reads and writes the buckets", "Kestra server of"):
        assert written in text
        text = text.replace(written, "Another text than")
    path.write_text(text)
    infra("plan", "-detailed-exitcode", *one, variables=variables)
    path.write_text(text.replace("ignore_changes", "# ignore_changes"))
    infra("plan", "-detailed-exitcode", *one, code=2, variables=variables)
