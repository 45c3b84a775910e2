"""The executions that a workflow execution starts: their ids, their states and results, and requesting them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from bson import ObjectId
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from st2common.datastore.lookup import KeyAccess, KeyLookup
from st2common.errors import ValidationError
from st2common.expressions.templates import TemplateError
from st2common.models import runner_types
from st2common.models.connection import Document
from st2common.models.execution_view import secret_values
from st2common.models.executions import Executions, liveaction_id
from st2common.output.mongo_log import MongoOutputLog
from st2common.services import results, traces
from st2common.services.execution_documents import Place
from st2common.services.executions import refuse_step, request_execution
from st2common.services.pack_configs import PackConfig
from st2common.services.settled_steps import may_settle, settle, store_settled
from st2common.transport.port import Transport
from st2common.workflows.decision import Lookups, Request

# What a step's context has of that of its workflow, and what it tells of the workflow itself.
_HANDED_DOWN = ("api_user", "source_channel", "rbac")
_OF_PARENT = ("user", "pack", "api_user", "source_channel")
_LOOKED_AT = {"status": 1, "runner.name": 1}
_RESULT = {"result": 1, "output_in_log": 1, "action.runner_type": 1, "decrypted": 1}


def step_id(execution_id: str, key: str) -> ObjectId:
    """The id of what is called ``key`` in a workflow execution: whoever asks for it gets the same one.

    Like every id it begins with a time, that of the workflow execution.
    """
    digest = hashlib.sha256(f"{execution_id}/{key}".encode()).digest()
    return ObjectId(bytes.fromhex(execution_id[:8]) + digest[:8])


class Steps:
    def __init__(
        self,
        database: Database[Document],
        transport: Transport,
        execution: Document,
        earlier: Sequence[str],
        secrets: Sequence[str],
        keys: KeyAccess,
        web_base_url: str | None = None,
    ) -> None:
        """``execution`` is that of the workflow; see :mod:`st2common.models.workflow_executions` for ``earlier`` and
        ``secrets``."""
        self._st2kv = KeyLookup(database, keys, execution["context"])
        self._config_keys = KeyLookup(database, keys.of_platform(), execution["context"])
        self._database = database
        self._transport = transport
        self._executions = Executions(database)
        self._log = MongoOutputLog(database)
        self._execution = execution
        self._id = str(execution["_id"])
        self._families = (self._id, *earlier)
        self._secrets = secrets
        self._keys = keys
        self._web_base_url = web_base_url
        self._results: dict[str, Any] = {}
        #: What the steps have decrypted whose results were read.
        self._of_steps: list[str] = []

    def lookups(self) -> Lookups:
        """What a conductor asks for."""
        own = self._execution["context"]
        names = {
            "action_context": {"parent": {**own, "execution_id": self._id}},
            "config_context": PackConfig(own["pack"], self._config_keys),
            "system": self._st2kv.system,
        }
        return Lookups(
            results=self.result,
            st2kv=self._st2kv,
            names=names,
            child_ids=self._ids,
            workflow_execution_id=self._id,
            task_execution_id=lambda run: str(step_id(self._id, run)),
        )

    def _ids(self, key: str) -> Document:
        identity = str(step_id(self._id, key))
        return {"execution_id": identity, "liveaction_id": liveaction_id(identity)}

    @property
    def secrets(self) -> list[str]:
        """What expressions and steps have decrypted, now and before: it is masked in the steps that get it."""
        decrypted = [*self._st2kv.decrypted, *self._config_keys.decrypted, *self._of_steps]
        return list(dict.fromkeys([*self._secrets, *decrypted]))

    def states(self, keys: Collection[str]) -> dict[str, Document]:
        """Status and name of the runner of those that exist."""
        by_id = {step_id(self._id, key): key for key in keys}
        found = self._executions.collection.find({"_id": {"$in": [*by_id]}}, _LOOKED_AT) if by_id else ()
        return {by_id[step["_id"]]: step for step in found}

    def result(self, key: str) -> Any:
        """The whole result of a step that has ended. One that was purged has none."""
        if key not in self._results:
            ids = [step_id(family, key) for family in self._families]
            found = {step["_id"]: step for step in self._executions.collection.find({"_id": {"$in": ids}}, _RESULT)}
            step = next((found[identity] for identity in ids if identity in found), {})
            if step:
                results.complete(step, self._log, results.OUTPUT_IN_EXECUTION)
            self._results[key] = step.get("result")
            self._of_steps += step.get("decrypted") or ()
        return self._results[key]

    def settle(self, request: Request) -> Document | None:
        """The document of the step as it ends, if nobody is needed to do it; None for all others. Nothing is stored."""
        if request.delay or not may_settle(request.action):
            return None
        step = settle(self._database, **self._wanted(request))
        if step:
            self._results[request.key] = step["result"]
        return step

    def store_settled(self, steps: Sequence[Document]) -> None:
        """Have those exist that :meth:`settle` has given. Repeating it is safe."""
        store_settled(self._database, self._transport, steps, self._web_base_url)

    def missing(self, steps: Sequence[Document]) -> list[Document]:
        """Those of them that do not exist."""
        ids = [step["_id"] for step in steps]
        found = {step["_id"] for step in self._executions.collection.find({"_id": {"$in": ids}}, {"_id": 1})}
        return [step for step in steps if step["_id"] not in found]

    def request(self, request: Request) -> str:
        """Have the step exist, as a failed one where it cannot be requested; its status."""
        wanted = self._wanted(request)
        identity, context, place = wanted["execution_id"], wanted["context"], wanted["place"]
        try:
            stored = request_execution(
                self._database,
                self._transport,
                delay=round(request.delay * 1000),
                literal=True,
                web_base_url=self._web_base_url,
                **wanted,
            )
        except DuplicateKeyError:
            stored = self._requested_before(identity)
        except TemplateError:
            # It is stored already: a default of the action cannot be rendered.
            stored = self._requested_before(identity)
        except ValidationError as error:
            stored = self._refuse(request, identity, context, place, error)
        return str(stored["status"])

    def _wanted(self, request: Request) -> dict[str, Any]:
        """What whoever makes the step is told."""
        return {
            "action_ref": request.action,
            "parameters": request.input,
            "user": self._execution["context"]["user"],
            "context": self._context(request),
            "notify": request.notify or self._notify(request.task),
            "kept_secrets": self._secrets_in(request.input),
            "execution_id": step_id(self._id, request.key),
            "place": self._place(request),
            "keys": self._keys,
        }

    def _refuse(
        self, request: Request, identity: ObjectId, context: Document, place: Place, error: ValidationError
    ) -> Document:
        try:
            return refuse_step(
                self._database,
                self._transport,
                execution_id=identity,
                place=place,
                action_ref=request.action,
                context={**context, "user": self._execution["context"]["user"]},
                error=error,
                web_base_url=self._web_base_url,
            )
        except DuplicateKeyError:
            return self._requested_before(identity)

    def _requested_before(self, identity: ObjectId) -> Document:
        return self._executions.get(str(identity), {"status": 1}) or {"status": "requested"}

    def _context(self, request: Request) -> Document:
        own = self._execution["context"]
        context: Document = {name: own[name] for name in _HANDED_DOWN if name in own}
        if "trace_context" in own:
            context["trace_context"] = {"id_": traces.trace_id(self._execution)}
        if self._execution["runner"]["name"] in runner_types.ORQUESTA:
            parent = {name: own[name] for name in _OF_PARENT if name in own}
            ids = {"workflow_execution_id": self._id, "task_execution_id": str(step_id(self._id, request.run))}
            return {**context, "parent": {"execution_id": self._id, **parent}, "orquesta": {**ids, **request.about}}
        return {**context, "parent": {**own, "execution_id": self._id}, "chain": request.about}

    def _place(self, request: Request) -> Place:
        if self._execution["runner"]["name"] in runner_types.ORQUESTA:
            return Place(self._id, str(step_id(self._id, request.run)), self._id)
        return Place(self._id)

    def _notify(self, task: str) -> Any:
        """Whom the workflow notifies is told about the tasks that it names, or about all nodes of a chain but some."""
        given = self._execution.get("parameters") or {}
        if self._execution["runner"]["name"] in runner_types.ORQUESTA:
            wanted = task in (given.get("notify") or ())
        else:
            wanted = task not in (given.get("skip_notify") or ())
        return self._execution["liveaction"].get("notify") if wanted else None

    def _secrets_in(self, parameters: Mapping[str, Any]) -> list[str]:
        """The secrets that are among the parameters of a step, whatever its action thinks of them."""
        known = dict.fromkeys([*secret_values(self._execution), *self.secrets])
        if not known:
            return []
        text = json.dumps(parameters, default=str)
        return [secret for secret in known if json.dumps(secret)[1:-1] in text]
