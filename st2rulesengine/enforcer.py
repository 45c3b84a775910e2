"""Running the actions of rules that an event matches: each at most once, and with a record of what came of it."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from bson import ObjectId
from oslo_config import cfg
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from st2common.clock import now_us
from st2common.datastore.lookup import KeyAccess
from st2common.errors import St2Error
from st2common.expressions.templates import TemplateError
from st2common.models.connection import Document
from st2common.models.executions import Executions
from st2common.models.rule_enforcements import FAILED, SUCCEEDED
from st2common.models.statuses import Status
from st2common.rules.matching import Match
from st2common.services.executions import request_execution
from st2common.services.trace_events import remove_execution, trace_of
from st2common.transport.port import Transport
from st2rulesengine.limits import Limits

LOG = logging.getLogger(__name__)

# Characters of a reason that is stored.
_MAX_REASON = 4000


@dataclass(frozen=True)
class Due:
    """A rule that matches an event, or has failed for it."""

    instance: Document
    match: Match
    #: The id of the enforcement and of the execution.
    identity: ObjectId


class Enforcer:
    def __init__(self, config: cfg.ConfigOpts, database: Database[Document], transport: Transport) -> None:
        self._database = database
        self._transport = transport
        self._user: str = config.system_user.user
        self._keys = KeyAccess.of_config(config)
        self._web_base_url: str | None = config.webui.webui_base_url
        self._executions = Executions(database)
        self._limits = Limits(config, database)

    def objection(self, due: Due) -> str | None:
        """Why the action may not run: the criteria cannot be checked, or a limit is reached. Not for several threads
        at once, since it counts."""
        if due.match.error:
            named = f'rule "{due.match.rule["ref"]}" against trigger instance "{due.instance["_id"]}"'
            return f"Failed to match {named}: {due.match.error}"
        return self._limits.objection(due.instance, due.match.rule)

    def enforce(self, due: Due, objection: str | None) -> Document:
        """Run the action unless there is an objection; what is to be stored about that: see
        :mod:`st2common.models.rule_enforcements`."""
        rule = due.match.rule
        execution_id, reason = (None, objection) if objection else self._outcome(due)
        if execution_id is None and not due.match.error:
            remove_execution(self._database, due.instance, str(due.identity))
        enforcement: Document = {
            "_id": due.identity,
            "rule": {"ref": rule["ref"], "uid": rule["uid"], "id": rule["id"]},
            "trigger_instance_id": str(due.instance["_id"]),
            "enforced_at": now_us(),
            "status": FAILED if reason else SUCCEEDED,
        }
        if execution_id:
            enforcement["execution_id"] = execution_id
        if reason:
            LOG.warning("Rule %s and trigger instance %s: %s", rule["ref"], due.instance["_id"], reason)
            enforcement["failure_reason"] = reason[:_MAX_REASON]
        return enforcement

    def _outcome(self, due: Due) -> tuple[str | None, str | None]:
        """(id of the execution, reason of the failure)."""
        try:
            self._request(due)
        except TemplateError as error:
            # The execution is there, as failed.
            return str(due.identity), str(error)
        except DuplicateKeyError:
            # Whoever made it before, and died before that was recorded, has used the same id.
            return str(due.identity), self._earlier_failure(due.identity)
        except St2Error as error:
            return None, str(error)
        return str(due.identity), None

    def _request(self, due: Due) -> None:
        instance, rule = due.instance, due.match.rule
        context = {
            "trigger_instance": {"id": str(instance["_id"]), "name": None},
            "rule": {"id": rule["id"], "name": rule["name"]},
            "trace_context": {"id_": str(trace_of(instance))},
        }
        request_execution(
            self._database,
            self._transport,
            action_ref=rule["action"]["ref"],
            parameters=rule["action"]["parameters"],
            user=self._user,
            context=context,
            names={"trigger": instance.get("payload") or {}},
            execution_id=due.identity,
            keys=self._keys,
            web_base_url=self._web_base_url,
        )

    def _earlier_failure(self, identity: ObjectId) -> str | None:
        """Why an execution of an earlier try has failed before it began; None where it has not."""
        found = self._executions.get(str(identity), {"status": 1, "attempt": 1, "result": 1})
        if found and found["status"] == Status.FAILED and not found["attempt"]:
            return str((found.get("result") or {}).get("error"))
        return None
