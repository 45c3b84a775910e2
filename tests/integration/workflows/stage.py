"""A workflow engine, and steps whose ends a test decides about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from oslo_config import cfg
from pymongo.database import Database

from st2common.content import paths, registrar
from st2common.models import execution_tree
from st2common.models.executions import Executions
from st2common.models.statuses import COMPLETED, Status
from st2common.services.cancellation import cancel_execution
from st2common.services.events import ExecutionEvents
from st2common.services.executions import request_execution
from st2common.services.pausing import pause_execution, resume_execution
from st2common.transport.memory import MemoryTransport
from st2common.transport.topology import EXECUTIONS_TO_RUN
from st2rulesengine.workflows.service import WorkflowEngineService
from tests.conditions import eventually
from tests.integration.actionrunner.bench import configured

PATIENCE = 20.0

_MANIFEST = {
    "ref": "flows",
    "name": "flows",
    "description": "Workflows of the tests.",
    "version": "1.0.0",
    "author": "somebody",
    "email": "info@example.com",
}


class Stage:
    def __init__(self, directory: Path, database: Database[dict[str, Any]], transport: MemoryTransport) -> None:
        self.config: cfg.ConfigOpts = configured(directory)
        self.database = database
        self.transport = transport
        self.executions = Executions(database)
        self._events = ExecutionEvents(transport)
        self._pack = directory / "packs" / "flows"
        self._engines: list[WorkflowEngineService] = []
        transport.declare(EXECUTIONS_TO_RUN)
        (self._pack / "actions" / "workflows").mkdir(parents=True)
        (self._pack / "pack.yaml").write_text(yaml.safe_dump(_MANIFEST))
        # No more than the workflows use: all packs would take half of the time of most tests.
        registrar.register(self.config, ("runners", "actions"), [paths.bundled_packs() / "core"])

    # The engine.

    def engine(self) -> WorkflowEngineService:
        engine = WorkflowEngineService(config=self.config, database=self.database, transport=self.transport)
        engine.start()
        self._engines.append(engine)
        return engine

    def stop_engines(self) -> None:
        while self._engines:
            self._engines.pop().stop(10.0)

    # Workflows.

    def write(self, name: str, definition: str, runner: str = "orquesta", **parameters: str) -> None:
        """Make ``flows.<name>`` an action."""
        (self._pack / "actions" / "workflows" / f"{name}.yaml").write_text(definition)
        metadata: dict[str, Any] = {"name": name, "runner_type": runner, "entry_point": f"workflows/{name}.yaml"}
        metadata |= {"parameters": {each: {"type": kind} for each, kind in parameters.items()}}
        (self._pack / "actions" / f"{name}.yaml").write_text(yaml.safe_dump(metadata))
        errors = registrar.register(self.config, ("actions",), [self._pack]).errors
        assert not errors

    def start(self, name: str, *, context: dict[str, Any] | None = None, **parameters: Any) -> str:
        stored = request_execution(
            self.database,
            self.transport,
            action_ref=f"flows.{name}",
            parameters=parameters,
            user="tester",
            context=context,
        )
        return str(stored["_id"])

    def run(self, name: str, **parameters: Any) -> dict[str, Any]:
        return self.ended(self.start(name, **parameters))

    def pause(self, execution_id: str) -> None:
        pause_execution(self.database, self.transport, execution_id=execution_id, user="somebody")

    def resume(self, execution_id: str) -> None:
        resume_execution(self.database, self.transport, execution_id=execution_id, user="somebody")

    def cancel(self, execution_id: str) -> None:
        cancel_execution(self.database, self.transport, execution_id=execution_id, user="somebody")

    # Executions.

    def get(self, execution_id: str) -> dict[str, Any]:
        found = self.executions.get(execution_id)
        assert found is not None
        return found

    def status(self, execution_id: str) -> str:
        return str(self.get(execution_id)["status"])

    def wait(self, execution_id: str, *statuses: Status) -> dict[str, Any]:
        eventually(lambda: self.status(execution_id) in statuses, PATIENCE)
        return self.get(execution_id)

    def ended(self, execution_id: str) -> dict[str, Any]:
        return self.wait(execution_id, *COMPLETED)

    def steps(self, execution_id: str) -> list[dict[str, Any]]:
        return execution_tree.children_of(self.executions.collection, [execution_id])

    def tasks(self, execution_id: str) -> list[tuple[str, str]]:
        """(task, status) of all steps in the order of their start."""
        return [(task_of(step), step["status"]) for step in self.steps(execution_id)]

    def step(self, execution_id: str, task: str) -> dict[str, Any]:
        """The newest step of a task, once there is one that has not ended."""

        def find() -> dict[str, Any] | None:
            found = [step for step in self.steps(execution_id) if task_of(step) == task]
            return found[-1] if found and found[-1]["status"] not in COMPLETED else None

        return eventually(find, PATIENCE)

    def begin(self, step: dict[str, Any]) -> dict[str, Any]:
        """Run a step, as a runner would."""
        begun = self.executions.claim(str(step["_id"]), "runner-1", 2**62, {})
        assert begun is not None
        self._events.claimed(begun)
        return begun

    def finish(self, step: dict[str, Any], status: Status = Status.SUCCEEDED, tell: bool = True, **result: Any) -> None:
        """End a step, as a runner would; without ``tell`` the news of it is lost."""
        held = self.begin(step) if step["status"] == Status.REQUESTED else self.get(str(step["_id"]))
        ended = self.executions.end(held, status, {"result": result})
        assert ended is not None
        if tell:
            self._events.updated(ended)

    def end_canceled(self, step: dict[str, Any]) -> None:
        """What a runner does when it is told to end what it runs."""
        ended = self.executions.change(str(step["_id"]), Status.CANCELED)
        assert ended is not None
        self._events.updated(ended)


def task_of(step: dict[str, Any]) -> str:
    context = step["context"]
    return str(context["orquesta"]["task_name"] if "orquesta" in context else context["chain"]["name"])
