"""What the routes work with: made once for the application, found through the current request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import current_app
from oslo_config import cfg
from pymongo.database import Database

from st2common.auth.identity import Kind
from st2common.errors import AccessDenied
from st2common.http import authentication, authorization, query, visible_executions
from st2common.models.connection import Document
from st2common.models.executions import Executions
from st2common.output.bells import BellTower
from st2common.output.log import OutputLog
from st2common.rbac.executions import VIEW
from st2common.services.events import ExecutionEvents
from st2common.services.traces import trace_id
from st2common.services.trigger_dispatch import dispatch_wanted
from st2common.transport.port import Transport

#: Where the application keeps its context.
EXTENSION = "st2api"
#: In the context of an execution: ``{kind, user, id?, execution_id?}`` of the credential that it was asked for with.
CREDENTIAL = "credential"


@dataclass(frozen=True)
class Api:
    config: cfg.ConfigOpts
    database: Database[Document]
    transport: Transport
    executions: Executions
    events: ExecutionEvents
    log: OutputLog
    bells: BellTower

    @property
    def user(self) -> str:
        """Who asks. Without authentication everybody is the user that actions run as."""
        return authentication.identity().user

    @property
    def is_admin(self) -> bool:
        """Whether who asks may do everything. Without access control everybody may."""
        return authorization.rights().is_admin

    def acting_user(self, named: str | None) -> str:
        """Who is to be recorded for what is asked: who asks, or somebody else whom an administrator names.

        Raises:
            AccessDenied: somebody who may not act for others names somebody else.
        """
        if named and named != self.user and not self.acts_for_others:
            raise AccessDenied(f'"{self.user}" is no administrator and may not act for another user.')
        return named or self.user

    def owner(self, named: str | None) -> str:
        """Whose something is to be that is made: of who asks, or of somebody else whom an administrator names.

        Raises:
            AccessDenied: somebody who is no administrator names somebody else.
        """
        if named and named != self.user and not self.is_admin:
            raise AccessDenied(f'"{self.user}" is no administrator and may not make anything for another user.')
        return named or self.user

    @property
    def acts_for_others(self) -> bool:
        """Administrators do, where access control says who is one: that everybody may do everything without it does not
        make everybody somebody else. Without authentication nobody is anybody."""
        return authentication.identity().kind is Kind.NONE or (authorization.enabled() and self.is_admin)

    def told_context(self, given: Mapping[str, Any] | None = None) -> Document:
        """The context of an execution that is asked for: what is ``given``, and through which credential it is.

        What clients say about the latter themselves does not count, nor in whose name they talk (``api_user``: whose
        keys templates may read) unless they may act for others.
        """
        who = authentication.identity()
        ours = {CREDENTIAL} if self.acts_for_others else {CREDENTIAL, "api_user"}
        context = {name: value for name, value in (given or {}).items() if name not in ours}
        if who.kind is not Kind.NONE:
            ids = {"id": who.credential_id, "execution_id": who.execution_id}
            known = {name: value for name, value in ids.items() if value}
            context[CREDENTIAL] = {"kind": str(who.kind), "user": who.user, **known}
        return context

    def tell(self, events: Mapping[str, Mapping[str, Any]]) -> None:
        """Dispatch events of the platform ({reference of a trigger: payload}) that rules wait for. What an execution
        has done with its own token belongs to its trace."""
        trace = None
        if by := authentication.identity().execution_id:
            found = self.executions.get(by, {"context": 1})
            trace = {"id_": trace_id(found)} if found else None
        dispatch_wanted(self.database, self.transport, events, trace)

    def masks_secrets(self) -> bool:
        """Whether this request's answer hides secrets. Administrators may ask to see them."""
        configured = self.config.api.mask_secrets and self.config.log.mask_secrets
        return bool(configured) and not (query.boolean("show_secrets") and self.is_admin)

    def find_execution(
        self, execution_id: str, projection: dict[str, int] | None = None, permission: str = VIEW
    ) -> Document:
        """See :func:`.visible_executions.find_execution`."""
        return visible_executions.find_execution(self.executions.collection, execution_id, projection, permission)


def api() -> Api:
    context: Api = current_app.extensions[EXTENSION]
    return context
