"""``st2-rule-tester``: whether an event would meet a rule, and why not. Nothing is stored and no action runs."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from oslo_config import cfg
from pymongo.errors import PyMongoError

from st2common import config as configuration
from st2common.config.clients import connect_database
from st2common.content import rule_metadata
from st2common.content.loader import load
from st2common.datastore.lookup import KeyAccess, KeyLookup
from st2common.errors import ConfigError, ValidationError
from st2common.expressions import templates
from st2common.models import connection, rules
from st2common.models.connection import Document
from st2common.models.trigger_instances import TriggerInstances
from st2common.rules.criteria import Criterion
from st2common.rules.matching import Event, Matcher
from st2common.services.parameters import EmptyDatastore

MATCHES, NO_MATCH, WRONG_USE = 0, 1, 2

_EXAMPLES = """\
examples:
  st2-rule-tester --rule my_rule.yaml --trigger-instance event.yaml --offline
  st2-rule-tester --config-file /etc/st2/st2.conf --rule-ref mine.rule --trigger-instance-id 6b02f23254eb5b736365f882

The file of an event: {trigger: <type>, payload: {...}}
"""


def main(args: Sequence[str] | None = None) -> int:
    """0: the rule matches; 1: it does not; 2: that could not be found out."""
    options = _parse(sys.argv[1:] if args is None else args)
    try:
        if options.offline:
            return _test(_rule(options), _instance(options, None), EmptyKeys())
        return _test_with_database(options)
    except (ConfigError, ValidationError) as error:
        print(f"st2-rule-tester: {error}", file=sys.stderr)
    except PyMongoError as error:
        print(f"st2-rule-tester: the database does not answer ({error}). --offline needs none", file=sys.stderr)
    return WRONG_USE


class EmptyKeys:
    """A datastore without keys."""

    def __init__(self) -> None:
        self.system = self.user = EmptyDatastore()


def _test_with_database(options: argparse.Namespace) -> int:
    files = [word for path in options.config_file for word in ("--config-file", path)]
    config = configuration.load(files, prog="st2-rule-tester")
    database = connect_database(config)
    try:
        rule, instance = _rule(options), _instance(options, TriggerInstances(database))
        keys = KeyAccess.of_config(config).without_secrets()
        return _test(rule, instance, KeyLookup(database, keys, {"user": _user(config)}))
    finally:
        connection.disconnect()


def _user(config: cfg.ConfigOpts) -> str:
    user: str = config.system_user.user
    return user


def _test(rule: Document, instance: Document, st2kv: Any) -> int:
    wanted, came = rule["trigger"], _names(instance)
    if not came & {wanted["type"], wanted.get("ref")}:
        print(f"No match: the rule waits for {wanted['type']}, and the event is one of {', '.join(sorted(came))}.")
        return NO_MATCH
    event = Event(instance.get("payload") or {}, st2kv)
    for key, definition in (rule.get("criteria") or {}).items():
        print(f"  {_verdict(key, definition, event)}  {key} {definition.get('type')} {definition.get('pattern')!r}")
    found = Matcher([{**rule, "ref": "rule"}]).match(event)
    if not found:
        print("No match.")
        return NO_MATCH
    if found[0].error:
        print(f"No match, and a failed enforcement: {found[0].error}")
        return NO_MATCH
    print(f"The rule matches. It runs {rule['action']['ref']} with:")
    print(_parameters(rule["action"].get("parameters") or {}, event))
    return MATCHES


def _verdict(key: str, definition: Mapping[str, Any], event: Event) -> str:
    try:
        return "yes  " if Criterion(key, definition).check(event.root, event.scope) else "no   "
    except ValidationError:
        return "error"


def _parameters(parameters: Mapping[str, Any], event: Event) -> str:
    try:
        return json.dumps(templates.render(parameters, event.scope), indent=2, default=str)
    except ValidationError as error:
        return f"an error: {error}"


def _names(instance: Mapping[str, Any]) -> set[str]:
    """What the event may be known by: its trigger, and the type of that."""
    trigger = instance.get("trigger")
    named = [trigger.get("type"), trigger.get("ref")] if isinstance(trigger, Mapping) else [trigger]
    return {str(name) for name in (*named, instance.get("trigger_type")) if name}


def _rule(options: argparse.Namespace) -> Document:
    if options.rule:
        return rule_metadata.complete({"pack": "default", **load(options.rule)})
    found = rules.get(options.rule_ref)
    if found is None:
        raise ValidationError(f'There is no rule "{options.rule_ref}".')
    return found


def _instance(options: argparse.Namespace, instances: TriggerInstances | None) -> Document:
    if options.trigger_instance:
        loaded: Document = load(options.trigger_instance)
        if not _names(loaded) or not isinstance(loaded.get("payload", {}), Mapping):
            raise ValidationError(f"{options.trigger_instance}: it has to say trigger and payload")
        return loaded
    found = instances.get(options.trigger_instance_id) if instances else None
    if found is None:
        raise ValidationError(f'There is no trigger instance "{options.trigger_instance_id}".')
    return found


def _parse(args: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="st2-rule-tester",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--config-file", action="append", default=[], help="may be given several times")
    rule = parser.add_mutually_exclusive_group(required=True)
    rule.add_argument("--rule", type=Path, metavar="FILE", help="the rule's file")
    rule.add_argument("--rule-ref", metavar="PACK.NAME", help="a rule that is registered")
    event = parser.add_mutually_exclusive_group(required=True)
    event.add_argument("--trigger-instance", type=Path, metavar="FILE", help="the event's file")
    event.add_argument("--trigger-instance-id", metavar="ID", help="an event that has come in")
    parser.add_argument("--offline", action="store_true", help="files alone: no database is asked, not even for keys")
    options = parser.parse_args(args)
    if options.offline and not (options.rule and options.trigger_instance):
        parser.error("--offline is for files: --rule and --trigger-instance")
    return options


if __name__ == "__main__":
    sys.exit(main())
