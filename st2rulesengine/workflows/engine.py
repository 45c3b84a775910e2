"""Brings workflow executions forward. Any number of engines may look at one at the same time."""

from __future__ import annotations

import json
import logging
import os
import socket

from oslo_config import cfg
from pymongo.database import Database
from pymongo.errors import PyMongoError

from st2common.clock import now_us
from st2common.datastore.lookup import KeyAccess
from st2common.errors import ValidationError
from st2common.models import runner_types
from st2common.models.connection import Document
from st2common.models.executions import Executions
from st2common.models.statuses import CLAIMABLE, COMPLETED, Status
from st2common.models.workflow_executions import WorkflowExecutions
from st2common.output.log import LogUnavailable
from st2common.services.events import ExecutionEvents
from st2common.services.workflow_actions import check_actions
from st2common.transport.port import Transport
from st2common.workflows import languages
from st2common.workflows.problems import InvalidWorkflow
from st2rulesengine.workflows import beginning
from st2rulesengine.workflows.ending import Ending
from st2rulesengine.workflows.progress import LOOK_AFTER_CHANGE, Progress, check_size, decided
from st2rulesengine.workflows.steps import Steps
from st2rulesengine.workflows.workshop import Workshop

LOG = logging.getLogger(__name__)


class Engine:
    def __init__(self, config: cfg.ConfigOpts, database: Database[Document], transport: Transport) -> None:
        self._config = config
        self._workshop = shop = Workshop(
            database=database,
            transport=transport,
            executions=Executions(database),
            workflows=WorkflowExecutions(database),
            events=ExecutionEvents(transport, config.webui.webui_base_url),
        )
        self._ending = Ending(shop)

    def advance(self, execution_id: str) -> None:
        """Bring a workflow execution as far as it can go now. Doing it again, or twice at once, changes nothing.

        Raises:
            PyMongoError, LogUnavailable: the database is away; it is to be repeated.
        """
        done = False
        while not done:
            done = self._guarded(execution_id)

    def _guarded(self, execution_id: str) -> bool:
        """One turn; False where somebody else has changed something meanwhile. Whatever happens, the execution gets
        an end."""
        execution = self._workshop.executions.get(execution_id)
        if execution is None or execution["runner"]["name"] not in runner_types.WORKFLOWS:
            LOG.warning("There is no workflow execution %s", execution_id)
            return True
        try:
            return self._turn(execution)
        except (PyMongoError, LogUnavailable):
            raise
        except InvalidWorkflow as error:
            return self._ending.fail(execution, [problem.as_json() for problem in error.problems])
        except ValidationError as error:
            return self._ending.fail(execution, [{"type": "error", "message": str(error)}])
        except Exception:
            LOG.exception("Workflow execution %s failed in the engine", execution_id)
            message = "The workflow engine failed while it ran this workflow; its log tells why."
            return self._ending.fail(execution, [{"type": "error", "message": message}])

    def _turn(self, execution: Document) -> bool:
        execution_id = str(execution["_id"])
        if Status(execution["status"]) in COMPLETED:
            self._ending.close(execution)
            return True
        workflow = self._workshop.workflows.get(execution_id)
        if workflow is None:
            # Stored before the execution runs: what runs is found by those who look for it.
            self._workshop.workflows.insert(self._first(execution))
            return False
        if Status(execution["status"]) in CLAIMABLE:
            about = {"liveaction.runner_info": {"hostname": socket.gethostname(), "pid": os.getpid()}}
            begun = self._workshop.executions.begin(execution_id, about)
            if begun is None:
                return False
            self._workshop.events.claimed(begun)
            execution = begun
        return self._progress(execution, workflow).go_on()

    def _first(self, execution: Document) -> Document:
        """The first revision of a workflow's progress.

        Raises:
            ValidationError: it cannot begin.
        """
        if not execution["runner"].get("enabled", True):
            raise ValidationError(f'The runner type "{execution["runner"]["name"]}" is disabled.')
        now = now_us()
        earlier = beginning.earlier_workflow(self._workshop.workflows, execution)
        if earlier is None:
            definition = beginning.read_definition(self._config, execution["action"])
            first: Document = {"definition": definition, "earlier": [], "secrets": []}
        else:
            before, tasks, reset = earlier
            first = {
                "definition": before["definition"],
                "earlier": [str(before["_id"]), *before["earlier"]],
                "secrets": before["secrets"],
            }
        spec = beginning.understood(execution["runner"]["name"], first["definition"])
        steps = self._steps(execution, first)
        if earlier is None:
            check_actions(spec)
            conductor = languages.conduct(spec, steps.lookups())
            decision = beginning.begin(self._config, self._workshop.database, execution, conductor, now)
        else:
            conductor = languages.conduct(spec, steps.lookups(), json.loads(before["state"]))
            decision = conductor.rerun(tasks, reset, now)
        workflow = {
            "_id": execution["_id"],
            "revision": 1,
            **first,
            "state": json.dumps(conductor.state),
            **decided(decision),
            "secrets": steps.secrets,
            "look_at": now + LOOK_AFTER_CHANGE,
        }
        check_size(workflow)
        return workflow

    def _progress(self, execution: Document, workflow: Document) -> Progress:
        steps = self._steps(execution, workflow)
        spec = beginning.understood(execution["runner"]["name"], workflow["definition"])
        conductor = languages.conduct(spec, steps.lookups(), json.loads(workflow["state"]))
        return Progress(self._workshop, execution, workflow, conductor, steps)

    def _steps(self, execution: Document, workflow: Document) -> Steps:
        return Steps(
            self._workshop.database,
            self._workshop.transport,
            execution,
            workflow["earlier"],
            workflow["secrets"],
            KeyAccess.of_config(self._config),
            self._config.webui.webui_base_url,
        )
