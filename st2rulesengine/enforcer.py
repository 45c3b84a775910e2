"""Running the actions of rules that an event matches: each at most once, and with a record of what came of it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

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


class Enforcer:
    def __init__(self, config: cfg.ConfigOpts, database: Database[Document], transport: Transport) -> None:
        self._database = database
        self._transport = transport
        self._user: str = config.system_user.user
        self._keys = KeyAccess.of_config(config)
        self._web_base_url: str | None = config.webui.webui_base_url
        self._executions = Executions(database)
        self._limits = Limits(config, database)

    def enforce(self, instance: Document, match: Match, identity: ObjectId) -> Document:
        """What is to be stored about a rule and an event: see :mod:`st2common.models.rule_enforcements`.

        ``identity`` is the id of the enforcement and of the execution: whoever made the execution before, and died
        before that was stored, has used the same.
        """
        rule = match.rule
        execution_id, reason = self._outcome(instance, match, identity)
        if execution_id is None and not match.error:
            remove_execution(self._database, instance, str(identity))
        enforcement: Document = {
            "_id": identity,
            "rule": {"ref": rule["ref"], "uid": rule["uid"], "id": rule["id"]},
            "trigger_instance_id": str(instance["_id"]),
            "enforced_at": now_us(),
            "status": FAILED if reason else SUCCEEDED,
        }
        if execution_id:
            enforcement["execution_id"] = execution_id
        if reason:
            LOG.warning("Rule %s and trigger instance %s: %s", rule["ref"], instance["_id"], reason)
            enforcement["failure_reason"] = reason[:_MAX_REASON]
        return enforcement

    def _outcome(self, instance: Document, match: Match, identity: ObjectId) -> tuple[str | None, str | None]:
        """(id of the execution, reason of the failure)."""
        if match.error:
            named = f'rule "{match.rule["ref"]}" against trigger instance "{instance["_id"]}"'
            return None, f"Failed to match {named}: {match.error}"
        objection = self._limits.objection(instance, match.rule)
        if objection:
            return None, objection
        try:
            self._request(instance, match.rule, identity)
        except TemplateError as error:
            # The execution is there, as failed.
            return str(identity), str(error)
        except DuplicateKeyError:
            return str(identity), self._earlier_failure(identity)
        except St2Error as error:
            return None, str(error)
        return str(identity), None

    def _request(self, instance: Document, rule: Mapping[str, Any], identity: ObjectId) -> None:
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
            execution_id=identity,
            keys=self._keys,
            web_base_url=self._web_base_url,
        )

    def _earlier_failure(self, identity: ObjectId) -> str | None:
        """Why an execution of an earlier try has failed before it began; None where it has not."""
        found = self._executions.get(str(identity), {"status": 1, "attempt": 1, "result": 1})
        if found and found["status"] == Status.FAILED and not found["attempt"]:
            return str((found.get("result") or {}).get("error"))
        return None
