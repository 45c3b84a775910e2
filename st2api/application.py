"""The API's application: every resource under every prefix that clients use."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Flask
from oslo_config import cfg
from pymongo.database import Database

from st2api import (
    action_aliases,
    action_changes,
    actions,
    alias_executions,
    api_keys,
    configs,
    execution_filters,
    execution_output,
    executions,
    inquiries,
    keys,
    pack_install,
    pack_views,
    packs,
    policies,
    rbac,
    root,
    rule_enforcements,
    rules,
    runner_types,
    sensors,
    service_registry,
    timers,
    traces,
    triggers,
    web,
    webhooks,
    workflows,
)
from st2api.context import EXTENSION, Api
from st2api.openapi import document
from st2common.http import audit, hosts, probes, raw_output
from st2common.http.app import create_app
from st2common.http.authentication import Authentication
from st2common.http.authorization import Authorization
from st2common.http.cors import allowed_origins
from st2common.http.open_streams import OpenStreams
from st2common.models.connection import Document
from st2common.models.executions import Executions
from st2common.output.bells import BellTower
from st2common.output.mongo_log import MongoOutputLog
from st2common.service import Service
from st2common.services.events import ExecutionEvents
from st2common.transport.port import Transport

PREFIXES = ("/v1", "/api/v1")

# All but those of executions, which go by two names.
_ROUTES = (
    root.routes,
    document.routes,
    web.routes,
    actions.routes,
    action_changes.routes,
    action_aliases.routes,
    alias_executions.routes,
    configs.routes,
    runner_types.routes,
    sensors.routes,
    timers.routes,
    webhooks.routes,
    packs.routes,
    pack_install.routes,
    pack_views.routes,
    inquiries.routes,
    policies.routes,
    rules.routes,
    rule_enforcements.routes,
    triggers.routes,
    traces.routes,
    keys.routes,
    api_keys.routes,
    rbac.routes,
    workflows.routes,
    service_registry.routes,
)


def make_app(
    config: cfg.ConfigOpts, database: Database[Document], transport: Transport, beside: Sequence[Service] = ()
) -> Flask:
    """The application; whoever runs it calls :func:`close` at the end. ``beside``: what else runs in this process, for
    the answer whether that is ready."""
    app = create_app("st2api", prefixes=PREFIXES, origins=allowed_origins(config))
    context = Api(
        config=config,
        database=database,
        transport=transport,
        executions=Executions(database),
        events=ExecutionEvents(transport, config.webui.webui_base_url),
        log=MongoOutputLog(database),
        bells=BellTower(transport),
    )
    app.extensions[EXTENSION] = context
    audit.guard(app)
    hosts.guard(app, config)
    Authentication(config, database).guard(app)
    Authorization(config, database).guard(app)
    OpenStreams(config).guard(app)
    for routes in _ROUTES:
        app.register_blueprint(routes)
    services = {"st2api": lambda: health(app), **{service.name: service.health for service in beside}}
    app.register_blueprint(probes.blueprint(probes.Readiness(database, transport, services)))
    _register_executions(app, context)
    return app


def _register_executions(app: Flask, context: Api) -> None:
    raw = raw_output.blueprint(context.log, context.bells, context.executions, context.find_execution)
    for routes in (raw, execution_output.routes, execution_filters.routes, executions.routes):
        app.register_blueprint(routes)
    # What executions were called before they got their name.
    app.register_blueprint(raw, url_prefix="/actionexecutions", name="old_raw_output")
    app.register_blueprint(execution_output.routes, url_prefix="/actionexecutions", name="old_execution_output")
    app.register_blueprint(
        execution_filters.routes, url_prefix="/actionexecutions/views/filters", name="old_execution_filters"
    )
    app.register_blueprint(executions.routes, url_prefix="/actionexecutions", name="old_executions")


def context_of(app: Flask) -> Api:
    context: Api = app.extensions[EXTENSION]
    return context


def health(app: Flask) -> str | None:
    context = context_of(app)
    if context.transport.healthy() and context.bells.healthy():
        return None
    return "no connection to the message broker"


def close(app: Flask) -> None:
    context_of(app).bells.stop()
