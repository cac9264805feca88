"""The secrets of a stack: which ones there are, what they hold now and after the next apply."""

from __future__ import annotations

import secrets
import string
from abc import ABC, abstractmethod
from functools import cached_property

from taxistack.settings import Settings

NO_WEBHOOK = "none"
"""What stands for no address: a secret can't be empty."""


def new_password() -> str:
    """A random password that satisfies Kestra's rule: 8 or more, upper, lower and a digit."""
    alphabet = string.ascii_letters + string.digits
    return "".join([*(secrets.choice(alphabet) for _ in range(29)), "Aa1"])


class Passwords(ABC):
    """What a target knows of its stack's secrets. The values are kept by the target's service."""

    settings: Settings

    @abstractmethod
    def read_secret(self, secret_id: str) -> str | None:
        """The latest value of a secret, None when it has no value yet."""

    @abstractmethod
    def postgres_password(self) -> str:
        """The password of the warehouse PostgreSQL."""

    @abstractmethod
    def rotated_postgres_password(self) -> str:
        """The password that the next generation of secrets holds for PostgreSQL."""

    @abstractmethod
    def secret_version(self) -> int | None:
        """The generation of the secrets that the stack was applied with; None when none is up."""

    def kestra_secret_id(self) -> str:
        """The secret that holds the password of Kestra's user."""
        return f"{self.settings.name}-kestra-password"

    def kestra_password(self) -> str:
        """The password of Kestra's user, as the stack has it; a new one before the first `up`."""
        return self.read_secret(self.kestra_secret_id()) or self._fresh_kestra_password

    def next_passwords(self) -> dict[str, str]:
        """What Secret Manager is to hold after the next apply, by Terraform's variables.

        The passwords of today, or new ones when the setting `secret_version` was raised: only
        then does Terraform write them.
        """
        kestra, postgres = self.kestra_password(), self.postgres_password()
        if self._rotates():
            kestra, postgres = self._fresh_kestra_password, self.rotated_postgres_password()
        return {
            "alarm_webhook": self.settings.alarm_webhook or self._webhook() or NO_WEBHOOK,
            "kestra_password": kestra,
            "postgres_password": postgres,
        }

    def alarm_channel(self) -> str:
        """`webhook` when the stack has an address that alarms are posted to, else empty."""
        return "" if self._webhook() in (None, NO_WEBHOOK) else "webhook"

    def _webhook(self) -> str | None:
        return self.read_secret(f"{self.settings.name}-alarm-webhook")

    def _rotates(self) -> bool:
        return self.secret_version() not in (None, self.settings.secret_version)

    @cached_property
    def _fresh_kestra_password(self) -> str:
        return new_password()
