"""The class that authors of python actions extend. Imports only the standard library: it runs in any virtualenv."""

from __future__ import annotations

import abc
import logging
from typing import Any


class Action(abc.ABC):
    """An action: its file is the entry point, ``run`` is called with the parameters.

    What ``run`` returns is the result. A tuple of two is a status (True, False or None) and the result.
    """

    def __init__(self, config: Any = None, action_service: Any = None) -> None:
        #: Configuration of the pack, like a dict.
        self.config = config if config is not None else {}
        #: Datastore and user information; see ``st2common.runners.action_service``.
        self.action_service = action_service
        #: Goes to the standard error stream of the action.
        self.logger = logging.getLogger(f"actions.python.{type(self).__name__}")

    @abc.abstractmethod
    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Do the work."""
