"""From trigger instances to executions. Whatever is repeated, and wherever an engine dies, the outcome is the same:

* an instance stays ``pending`` until everything that follows from it is stored, and only then is its message
  acknowledged;
* the execution and the enforcement of a rule and an instance have an id that follows from the two, so that each is
  stored once;
* what an engine may have seen to before is compared with the enforcements that are stored.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from bson import ObjectId
from oslo_config import cfg
from pymongo.database import Database
from pymongo.errors import PyMongoError

from st2common.datastore.lookup import KeyAccess, KeyLookup
from st2common.models.connection import Document
from st2common.models.rule_enforcements import RuleEnforcements, identity
from st2common.models.trigger_instances import Status, TriggerInstances
from st2common.rules.matching import Event
from st2common.services import trace_events
from st2common.transport.port import Transport
from st2rulesengine.enforcer import Due, Enforcer
from st2rulesengine.rule_index import RuleIndex

LOG = logging.getLogger(__name__)

# Executions that are requested at once. Each waits for two durable writes, of database and broker; they share these.
_AT_ONCE = 8


@contextmanager
def _failing(instance: Document, failed: list[ObjectId]) -> Iterator[None]:
    """One instance that nobody can work with must not hold up the others."""
    try:
        yield
    except PyMongoError:
        raise
    except Exception:
        LOG.exception("Trigger instance %s could not be seen to", instance["_id"])
        failed.append(instance["_id"])


class Engine:
    """Not for several threads at once."""

    def __init__(self, config: cfg.ConfigOpts, database: Database[Document], transport: Transport) -> None:
        self._database = database
        self._user: str = config.system_user.user
        self._keys = KeyAccess.of_config(config)
        self._instances = TriggerInstances(database)
        self._enforcements = RuleEnforcements(database)
        self._enforcer = Enforcer(config, database, transport)
        self.index = RuleIndex()

    def process(self, instance_ids: Collection[str], *, repeated: bool = False) -> None:
        """See to these trigger instances, all of them or, when the database does not answer, some.

        ``repeated``: an engine may have seen to some of them before, and died or failed in the midst of it.

        Raises:
            PyMongoError: the database does not answer; to be called again with the same ids, as repeated.
        """
        waiting = self._instances.waiting(instance_ids)
        if not waiting:
            return
        self.index.refresh()
        failed: list[ObjectId] = []
        due: list[Due] = []
        for instance in waiting:
            with _failing(instance, failed):
                due += self._match(instance)
        # One that was published again may have come by both messages.
        if repeated or any("republish_at" in instance for instance in waiting):
            known = self._enforcements.existing([each.identity for each in due])
            due = [each for each in due if each.identity not in known]
        self._enforcements.insert(self._enforce(due, failed))
        self._instances.set_status([each["_id"] for each in waiting if each["_id"] not in failed], Status.PROCESSED)
        if failed:
            self._instances.set_status(failed, Status.PROCESSING_FAILED)

    def _match(self, instance: Document) -> list[Due]:
        st2kv = KeyLookup(self._database, self._keys, {"user": self._user})
        event = Event(instance.get("payload") or {}, st2kv)
        matches = self.index.matcher(instance["trigger"]).match(event)
        return [Due(instance, match, identity(instance["_id"], match.rule["id"])) for match in matches]

    def _enforce(self, due: Sequence[Due], failed: list[ObjectId]) -> list[Document]:
        """The enforcements to be stored. Limits are asked in order, executions requested side by side."""
        trace_events.record(
            self._database,
            [
                (instance, [(each.match.rule, str(each.identity)) for each in group if not each.match.error])
                for instance, group in itertools.groupby(due, key=lambda each: each.instance)
            ],
        )
        objections = [self._enforcer.objection(each) for each in due]

        def enforce(each: Due, objection: str | None) -> Document | None:
            with _failing(each.instance, failed):
                return self._enforcer.enforce(each, objection)
            return None

        if len(due) == 1:
            # As most often: nobody to share a wait with.
            return [stored for stored in map(enforce, due, objections) if stored]
        with ThreadPoolExecutor(_AT_ONCE, "enforce") as threads:
            return [stored for stored in threads.map(enforce, due, objections) if stored]
