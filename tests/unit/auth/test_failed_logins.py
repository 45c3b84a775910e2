from __future__ import annotations

import pytest

from st2common.auth.failed_logins import WINDOW, FailedLogins
from st2common.errors import TooManyRequests, Unauthorized


class Logins:
    def __init__(self) -> None:
        self.now = 1000.0
        self.failed = FailedLogins(clock=lambda: self.now)

    def fail(self, user: str = "ada", address: str = "192.0.2.1", times: int = 1) -> None:
        for _ in range(times):
            with pytest.raises(Unauthorized), self.failed.attempt(user, address):
                raise Unauthorized

    def succeed(self, user: str = "ada", address: str = "192.0.2.1") -> None:
        with self.failed.attempt(user, address):
            pass


def test_the_sixth_wrong_password_in_a_minute_is_not_looked_at() -> None:
    logins = Logins()
    logins.fail(times=5)
    logins.now += 20
    with pytest.raises(TooManyRequests) as refused:
        logins.succeed()
    assert refused.value.retry_after == WINDOW - 20
    logins.now += 40
    logins.succeed()


def test_others_may_log_in_meanwhile() -> None:
    logins = Logins()
    logins.fail(times=5)
    logins.succeed(user="grace")
    logins.succeed(address="192.0.2.2")


def test_one_address_cannot_try_user_after_user() -> None:
    logins = Logins()
    for number in range(30):
        logins.fail(user=f"user{number}")
    with pytest.raises(TooManyRequests):
        logins.succeed(user="grace")


def test_many_addresses_cannot_try_one_user() -> None:
    logins = Logins()
    for number in range(100):
        logins.fail(address=f"192.0.2.{number}")
    with pytest.raises(TooManyRequests):
        logins.succeed(address="198.51.100.1")


def test_right_passwords_do_not_count() -> None:
    logins = Logins()
    for _ in range(200):
        logins.succeed()
    logins.fail(times=4)
    logins.succeed()


def test_attempts_that_are_being_checked_count() -> None:
    logins = Logins()
    with logins.failed.attempt("ada", "192.0.2.1"):
        logins.fail(times=4)
        with pytest.raises(TooManyRequests):
            logins.succeed()
    logins.succeed()


def test_an_attempt_that_could_not_be_checked_does_not_count() -> None:
    logins = Logins()
    for _ in range(10):
        with pytest.raises(OSError, match="no file"), logins.failed.attempt("ada", "192.0.2.1"):
            raise OSError("no file")
    logins.succeed()
