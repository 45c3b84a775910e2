"""The token that an action asks the platform with."""

from __future__ import annotations

from pathlib import Path

from st2common.auth.authenticator import Authenticator
from st2common.auth.identity import Identity, Kind
from tests.conditions import eventually
from tests.integration.actionrunner.bench import PATIENCE, Bench


class TokenAction:
    """An action that tells its token and waits until it may end."""

    def __init__(self, bench: Bench, directory: Path) -> None:
        self._bench = bench
        self._told, self._go = directory / "token", directory / "go"
        self._who = Authenticator(bench.database)
        wait = f"until [ -e {self._go} ]; do sleep 0.02; done; echo $ST2_ACTION_AUTH_TOKEN"
        self.execution_id = bench.request(
            f"printf %s $ST2_ACTION_AUTH_TOKEN > {self._told}.part; mv {self._told}.part {self._told}; {wait}"
        )

    def token(self) -> str:
        eventually(self._told.exists, PATIENCE)
        return self._told.read_text()

    def identity(self) -> Identity | None:
        return self._who.identity(Kind.TOKEN, self.token())

    def finish(self) -> None:
        self._go.touch()
        assert self._bench.ended(self.execution_id)["status"] == "succeeded"


def test_it_is_good_until_the_execution_completes(bench: Bench, tmp_path: Path) -> None:
    bench.runner()
    action = TokenAction(bench, tmp_path)
    assert action.identity() == Identity("tester", Kind.TOKEN, execution_id=action.execution_id)
    assert action.token() not in str(bench.stored(action.execution_id))
    action.finish()
    assert action.identity() is None
    assert bench.output(action.execution_id) == b"********\n"
    assert action.token() not in bench.told()


def test_it_outlives_a_restart_of_the_runner(bench: Bench, tmp_path: Path) -> None:
    runner = bench.runner()
    action = TokenAction(bench, tmp_path)
    assert action.identity()
    bench.stop(runner)
    assert action.identity()
    bench.runner()
    assert action.identity()
    action.finish()
    assert action.identity() is None
    assert bench.output(action.execution_id) == b"********\n"
