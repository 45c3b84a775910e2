"""The runner of each runner type."""

from __future__ import annotations

from st2actionrunner.launch import ChildlessRunner, Runner, RunnerError
from st2actionrunner.runners.announcement import Announcement
from st2actionrunner.runners.http_request import HttpRequest
from st2actionrunner.runners.inquirer import Inquirer
from st2actionrunner.runners.local_shell import LocalCommand, LocalScript
from st2actionrunner.runners.noop import Noop
from st2actionrunner.runners.python_script import PythonScript
from st2actionrunner.runners.remote_shell import RemoteCommand, RemoteScript
from st2actionrunner.runners.settings import RunnerSettings
from st2actionrunner.runners.winrm import WinrmCommand, WinrmPowershell, WinrmScript
from st2common.transport.port import Transport


class Runners:
    """The runners of this platform, by the name of their type."""

    def __init__(self, settings: RunnerSettings, transport: Transport) -> None:
        self._runners: dict[str, Runner | ChildlessRunner] = {
            "announcement": Announcement(transport),
            "http-request": HttpRequest(settings),
            "inquirer": Inquirer(),
            "local-shell-cmd": LocalCommand(settings),
            "local-shell-script": LocalScript(settings),
            "noop": Noop(),
            "python-script": PythonScript(settings),
            "remote-shell-cmd": RemoteCommand(settings),
            "remote-shell-script": RemoteScript(settings),
            "winrm-cmd": WinrmCommand(settings),
            "winrm-ps-cmd": WinrmPowershell(settings),
            "winrm-ps-script": WinrmScript(settings),
        }

    def get(self, runner_type: str) -> Runner | ChildlessRunner:
        """The runner of ``runner_type``.

        Raises:
            RunnerError: there is none.
        """
        try:
            return self._runners[runner_type]
        except KeyError:
            raise RunnerError(f'There is no runner of type "{runner_type}".') from None
