"""From trigger instances to executions. Whatever is repeated, and wherever an engine dies, the outcome is the same:

* an instance stays ``pending`` until everything that follows from it is stored, and only then is its message
  acknowledged;
* the execution and the enforcement of a rule and an instance have an id that follows from the two, so that each is
  stored once.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

from bson import ObjectId
from oslo_config import cfg
from pymongo.database import Database
from pymongo.errors import PyMongoError

from st2common.datastore.lookup import KeyAccess, KeyLookup
from st2common.models.connection import Document
from st2common.models.rule_enforcements import RuleEnforcements, identity
from st2common.models.trigger_instances import Status, TriggerInstances
from st2common.rules.matching import Event, Match
from st2common.services import trace_events
from st2common.transport.port import Transport
from st2rulesengine.enforcer import Enforcer
from st2rulesengine.rule_index import RuleIndex

LOG = logging.getLogger(__name__)


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

    def process(self, instance_ids: Collection[str]) -> None:
        """See to these trigger instances, all of them or, when the database does not answer, some.

        Raises:
            PyMongoError: the database does not answer; to be called again with the same ids.
        """
        waiting = self._instances.waiting(instance_ids)
        if not waiting:
            return
        self.index.refresh()
        failed: list[ObjectId] = []
        matched = []
        for instance in waiting:
            with _failing(instance, failed):
                matched.append((instance, self._match(instance)))
        known = self._known(matched)
        enforcements: list[Document] = []
        for instance, matches in matched:
            with _failing(instance, failed):
                enforcements += self._enforce(instance, matches, known)
        self._enforcements.insert(enforcements)
        self._instances.set_status([each["_id"] for each in waiting if each["_id"] not in failed], Status.PROCESSED)
        if failed:
            self._instances.set_status(failed, Status.PROCESSING_FAILED)

    def _match(self, instance: Document) -> list[Match]:
        st2kv = KeyLookup(self._database, self._keys, {"user": self._user})
        event = Event(instance.get("payload") or {}, st2kv)
        return self.index.matcher(instance["trigger"]).match(event)

    def _known(self, matched: Sequence[tuple[Document, Sequence[Match]]]) -> set[ObjectId]:
        """Enforcements that an engine has stored before it died."""
        ids = [identity(instance["_id"], match.rule["id"]) for instance, matches in matched for match in matches]
        return self._enforcements.existing(ids)

    def _enforce(self, instance: Document, matches: Sequence[Match], known: Collection[ObjectId]) -> list[Document]:
        due = [(match, identity(instance["_id"], match.rule["id"])) for match in matches]
        due = [(match, enforcement_id) for match, enforcement_id in due if enforcement_id not in known]
        runs = [(match.rule, str(enforcement_id)) for match, enforcement_id in due if not match.error]
        if runs:
            trace_events.record(self._database, instance, runs)
        return [self._enforcer.enforce(instance, match, enforcement_id) for match, enforcement_id in due]
