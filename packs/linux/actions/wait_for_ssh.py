from __future__ import annotations

import time
from typing import Any

import paramiko

from st2common.runners.base_action import Action

# Seconds that one try may take.
_CONNECT_TIMEOUT = 30.0


class WaitForSSH(Action):
    def run(self, hostname: str, port: int, retries: int, ssh_timeout: int, **login: Any) -> tuple[bool, str]:
        for attempt in range(1, retries + 1):
            try:
                self._log_in(hostname, port, login)
            except (OSError, paramiko.SSHException, EOFError) as error:
                print(f"Try {attempt} of {retries}: {error}", flush=True)
                if attempt < retries:
                    time.sleep(ssh_timeout)
            else:
                return True, f"{hostname} let {login['username']} in at try {attempt}"
        return False, f"{hostname} did not let {login['username']} in"

    def _log_in(self, hostname: str, port: int, login: dict[str, Any]) -> None:
        client = paramiko.SSHClient()
        client.load_system_host_keys()
        # Nobody knows the key of a host that has just been made: a password goes to whoever answers in its place.
        client.set_missing_host_key_policy(paramiko.AutoAddPolicy())  # noqa: S507
        with client:
            client.connect(
                hostname,
                port=port,
                username=login["username"],
                password=login["password"],
                key_filename=login["keyfile"],
                timeout=_CONNECT_TIMEOUT,
            )
