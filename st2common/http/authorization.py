"""Who may ask for what: found out once for each request, after it is known who asks.

A route says what it needs::

    @routes.get("")
    @needs("action_list")              the permission, before the route begins
    @routes.get("/<ref>")
    @checks_objects                    the route itself calls require(...), when it has what is asked for
    @any_user                          a credential is enough

A route that says nothing is for administrators, so that a forgotten mark opens nothing. With ``[rbac] enable`` off
everybody may do everything, and nothing is read for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, current_app, g
from oslo_config import cfg
from pymongo.database import Database

from st2common.auth.identity import Kind
from st2common.errors import AccessDenied, ConfigError
from st2common.http import authentication, query
from st2common.models.connection import Document
from st2common.models.roles import Roles
from st2common.rbac.permissions import PARTS
from st2common.rbac.resolution import EVERYTHING, Rights, pack_uid

View = TypeVar("View", bound=Callable[..., Any])

_NEEDS = "_st2_needs"
# In place of a permission: the route checks, or there is nothing to check.
_NOTHING_MORE = ""


def needs(permission: str) -> Callable[[View], View]:
    """Marks a route for users who have ``permission``: see :meth:`.Rights.allows` without uids."""
    if permission not in PARTS:
        raise ValueError(f"{permission} is not a permission")

    def mark(view: View) -> View:
        setattr(view, _NEEDS, permission)
        return view

    return mark


def checks_objects(view: View) -> View:
    """Marks a route that calls :func:`require` for each thing that it shows or changes."""
    setattr(view, _NEEDS, _NOTHING_MORE)
    return view


def any_user(view: View) -> View:
    """Marks a route that needs no permission."""
    setattr(view, _NEEDS, _NOTHING_MORE)
    return view


def rights() -> Rights:
    """What whoever sent the current request may do."""
    found: Rights = g.rights
    return found


def enabled() -> bool:
    return rights() is not EVERYTHING


def require(permission: str, *uids: str) -> None:
    """
    Raises:
        AccessDenied: the user has not this permission on the thing that ``uids`` name, or on everything.
    """
    if not rights().allows(permission, *uids):
        raise denied(permission, *uids[:1])


def require_new(resource_type: str, pack: str, name: str) -> None:
    """:func:`require` for a thing of a pack that is to be made."""
    require(f"{resource_type}_create", f"{resource_type}:{pack}:{name}", pack_uid(pack))


def require_name(resource_type: str, earlier: Document, wanted: Document) -> None:
    """:func:`require_new` for content of a pack whose new metadata gives it another name."""
    pack: str = wanted.get("pack") or earlier["pack"]
    if (pack, wanted["name"]) != (earlier["pack"], earlier["name"]):
        require_new(resource_type, pack, wanted["name"])


def require_execute(action_ref: str) -> None:
    """:func:`require` for running an action, whether it exists or not."""
    pack, _, name = action_ref.partition(".")
    require("action_execute", f"action:{pack}:{name}", pack_uid(pack))


def require_admin() -> None:
    """
    Raises:
        AccessDenied: the user is no administrator.
    """
    if not rights().is_admin:
        raise AccessDenied(f'User "{rights().user}" is not an administrator.')


def denied(permission: str, *uid: str) -> AccessDenied:
    on = f' on resource "{uid[0]}"' if uid else ""
    return AccessDenied(f'User "{rights().user}" doesn\'t have required permission "{permission}"{on}.')


class Authorization:
    """Added to an application behind its authentication."""

    def __init__(self, config: cfg.ConfigOpts, database: Database[Document]) -> None:
        """
        Raises:
            ConfigError: there would be nobody to have rights.
        """
        self._enabled = bool(config.rbac.enable)
        if self._enabled and not config.auth.enable:
            raise ConfigError("[rbac] enable needs [auth] enable: without it everybody is the same user.")
        self._roles = Roles(database)
        self._isolation = bool(config.rbac.permission_isolation)
        self._max_page_size = int(config.api.max_page_size)

    def guard(self, app: Flask) -> None:
        app.before_request(self._before)

    def _before(self) -> None:
        g.rights = Rights() if self._enabled else EVERYTHING
        if not self._enabled or "identity" not in g:
            return
        if authentication.identity().kind is Kind.SIGNATURE:
            # Its route knows what it is good for; it has no rights beside that.
            return
        user = authentication.identity().user
        known = g.rights = self._roles.rights(user, self._isolation)
        # A stream ends when the rights of its user change: whoever comes back gets what is right then.
        g.watch.also(lambda: self._roles.rights(user, self._isolation) == known)
        view = current_app.view_functions[authentication.endpoint()]
        permission = getattr(view, _NEEDS, None)
        if permission is None:
            require_admin()
        elif permission:
            require(permission)
        self._check_page()

    def _check_page(self) -> None:
        limit = query.integer("limit")
        if limit is not None and not rights().is_admin and (limit == -1 or limit > self._max_page_size):
            raise AccessDenied(f'Limit "{limit}" specified, maximum value is "{self._max_page_size}".')
