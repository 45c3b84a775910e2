from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from oslo_config import cfg
from pymongo.database import Database

from st2common import config as configuration
from st2common.content import paths, registrar
from st2common.models import (
    action_aliases,
    actions,
    packs,
    policies,
    rules,
    runner_types,
    trigger_types,
    triggers,
)

Documents = Database[dict[str, Any]]

MANIFEST = "name: {0}\ndescription: x\nversion: 1.0.0\nauthor: Me\nemail: me@example.com\n"
ACTION = "name: {0}\nrunner_type: local-shell-cmd\n"


@pytest.fixture
def config(tmp_path: Path) -> cfg.ConfigOpts:
    (tmp_path / "packs").mkdir()
    loaded = configuration.load([], prog="test")
    loaded.set_override("system_packs_base_path", str(tmp_path / "packs"), group="content")
    return loaded


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / "packs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def refs(pack: str) -> list[str]:
    return [action["ref"] for action in actions.find({"pack": pack})[0]]


def test_what_comes_with_the_platform(database: Documents, config: cfg.ConfigOpts) -> None:
    report = registrar.register(config)
    assert report.errors == []
    assert {"core.local", "core.local_sudo", "core.remote", "core.noop", "core.echo"} <= set(refs("core"))
    assert "examples.lines" in refs("examples")
    assert {"packs.install", "packs.uninstall", "packs.setup_virtualenv"} <= set(refs("packs"))
    assert {"linux.rm", "linux.dig", "linux.check_loadavg"} <= set(refs("linux"))
    [core] = packs.find({"ref": "core"})[0]
    assert core["path"] == str(paths.bundled_packs() / "core")
    assert "actions/local.yaml" in core["files"]
    assert paths.pack_directory(config, "core") == paths.bundled_packs() / "core"
    names = [runner["name"] for runner in runner_types.find({})[0]]
    assert {"local-shell-cmd", "local-shell-script", "python-script", "remote-shell-cmd"} <= set(names)
    # Every entry point is there.
    for action in actions.find({})[0]:
        if action["entry_point"]:
            assert (paths.bundled_packs() / action["pack"] / "actions" / action["entry_point"]).is_file()


def test_repeating_it_changes_nothing(database: Documents, config: cfg.ConfigOpts) -> None:
    first = registrar.register(config)
    before = actions.find({})[0], packs.find({})[0], runner_types.find({})[0]
    assert registrar.register(config) == first
    assert (actions.find({})[0], packs.find({})[0], runner_types.find({})[0]) == before


def test_a_disabled_runner_stays_disabled(database: Documents, config: cfg.ConfigOpts) -> None:
    registrar.register(config)
    runner_types.set_enabled("noop", enabled=False)
    registrar.register(config)
    disabled = runner_types.get("noop")
    assert disabled is not None
    assert disabled["enabled"] is False


def test_broken_files_are_told_and_the_others_registered(
    database: Documents, config: cfg.ConfigOpts, tmp_path: Path
) -> None:
    write(
        tmp_path,
        {
            "mine/pack.yaml": MANIFEST.format("mine"),
            "mine/actions/good.yaml": ACTION.format("good"),
            "mine/actions/twice.yaml": ACTION.format("twice") + "name: again\n",
            "mine/actions/unknown.yaml": "name: unknown\nrunner_type: nosuch\n",
            "mine/actions/foreign.yaml": ACTION.format("foreign") + "pack: other\n",
            "mine/actions/same.yml": ACTION.format("good"),
            "mine/actions/config.yaml": "anything: at all\n",
            "mine/actions/notes.txt": "no metadata\n",
            "broken/pack.yaml": "name: broken\n",
            "broken/actions/a.yaml": ACTION.format("a"),
            "nopack/actions/a.yaml": ACTION.format("a"),
        },
    )
    report = registrar.register(config)
    assert refs("mine") == ["mine.good"]
    assert refs("broken") == refs("nopack") == []
    mine = tmp_path / "packs" / "mine" / "actions"
    told = "\n".join(report.errors)
    assert len(report.errors) == 5
    assert f'{mine / "twice.yaml"}:3: the key "name" stands twice' in told
    assert f'{mine / "unknown.yaml"}: runner_type: there is no runner type "nosuch"' in told
    assert f'{mine / "foreign.yaml"}: pack: "other" is not the pack that the file is in, "mine"' in told
    assert f'{mine / "same.yml"}: name: the pack has another action "good"' in told
    assert f"{tmp_path / 'packs' / 'broken' / 'pack.yaml'}: " in told


def test_what_is_gone_is_removed_and_what_is_broken_stays(
    database: Documents, config: cfg.ConfigOpts, tmp_path: Path
) -> None:
    write(
        tmp_path,
        {
            "mine/pack.yaml": MANIFEST.format("mine"),
            "mine/actions/stays.yaml": ACTION.format("stays"),
            "mine/actions/goes.yaml": ACTION.format("goes"),
            "mine/actions/breaks.yaml": ACTION.format("breaks"),
            "mine/actions/renamed.yaml": ACTION.format("old"),
        },
    )
    registrar.register(config)
    actions.save(
        actions.Action.from_metadata({"name": "by_hand", "pack": "mine", "runner_type": "noop", "parameters": {}})
    )
    identity = actions.get("mine.stays")
    (tmp_path / "packs/mine/actions/goes.yaml").unlink()
    write(tmp_path, {"mine/actions/breaks.yaml": "name: [", "mine/actions/renamed.yaml": ACTION.format("new")})
    registrar.register(config)
    assert refs("mine") == ["mine.breaks", "mine.by_hand", "mine.new", "mine.stays"]
    assert actions.get("mine.stays") == identity


def test_the_first_root_that_has_a_pack_wins(database: Documents, config: cfg.ConfigOpts, tmp_path: Path) -> None:
    write(tmp_path, {"core/pack.yaml": MANIFEST.format("core")})
    assert paths.pack_directory(config, "core") == tmp_path / "packs" / "core"
    assert paths.pack_directory(config, "examples") == paths.bundled_packs() / "examples"
    assert paths.pack_directory(config, "nosuch") is None
    registrar.register(config)
    assert refs("core") == []


def test_dotted_keys_and_nulls_survive(database: Documents, config: cfg.ConfigOpts, tmp_path: Path) -> None:
    parameters = "parameters:\n  p:\n    default: null\n    patternProperties:\n      ^a.b$: {type: string}\n"
    write(tmp_path, {"mine/pack.yaml": MANIFEST.format("mine"), "mine/actions/a.yaml": ACTION.format("a") + parameters})
    assert registrar.register(config).errors == []
    stored = actions.get("mine.a")
    assert stored is not None
    assert stored["parameters"] == {"p": {"default": None, "patternProperties": {"^a.b$": {"type": "string"}}}}


def register_command(database: Documents, uri: str, directory: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    server = urlsplit(uri)
    conf = directory / "st2.conf"
    conf.write_text(
        f"[database]\nhost = {server.hostname}\nport = {server.port}\ndb_name = {database.name}\n"
        f"[content]\nsystem_packs_base_path = {directory / 'packs'}\n"
    )
    return subprocess.run(
        [sys.executable, "-m", "st2common.content.cmd", "--config-file", str(conf), *flags],
        capture_output=True,
        text=True,
        timeout=60,
        env={key: value for key, value in os.environ.items() if not key.startswith("ST2_")},
    )


def test_the_command(database: Documents, database_uri: str, config: cfg.ConfigOpts, tmp_path: Path) -> None:
    write(tmp_path, {"mine/pack.yaml": MANIFEST.format("mine"), "mine/actions/a.yaml": "name: [\n"})
    failed = register_command(database, database_uri, tmp_path, "--register-runners", "--register-actions")
    assert failed.returncode == 1, failed.stderr
    assert f"{tmp_path / 'packs/mine/actions/a.yaml'}:2: " in failed.stderr
    assert "packs: 7\n" in failed.stdout
    assert "core.local" in refs("core")
    tolerant = register_command(database, database_uri, tmp_path, "--register-all", "--register-no-fail-on-failure")
    assert tolerant.returncode == 0
    write(tmp_path, {"mine/actions/a.yaml": ACTION.format("a")})
    chosen = register_command(database, database_uri, tmp_path, "--register-actions", "--register-rules", "--verbose")
    assert chosen.returncode == 0
    assert "Pack examples: 4 rules registered" in chosen.stderr
    assert refs("mine") == ["mine.a"]


def test_aliases_and_policies(database: Documents, config: cfg.ConfigOpts, tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "mine/pack.yaml": MANIFEST.format("mine"),
            "mine/aliases/say.yaml": "name: say\naction_ref: core.local\nformats: ['say {{cmd}}']\n",
            "mine/aliases/broken.yaml": "name: broken\naction_ref: core.local\nformats: ['say (']\n",
            "mine/policies/few.yaml": (
                "name: few\nresource_ref: core.local\npolicy_type: action.concurrency\nparameters: {threshold: 2}\n"
            ),
            "mine/policies/none.yaml": "name: none\nresource_ref: core.local\npolicy_type: action.nosuch\n",
        },
    )
    (tmp_path / "overrides").mkdir()
    (tmp_path / "overrides" / "mine.yaml").write_text("aliases: {defaults: {enabled: false}}\n")
    config.set_override("base_path", str(tmp_path), group="system")
    directory = [tmp_path / "packs" / "mine"]
    report = registrar.register(config, ["aliases", "policies"], directory)
    assert (report.counts["aliases"], report.counts["policies"]) == (1, 1)
    assert ["say (" in report.errors[0], "action.nosuch" in report.errors[1]] == [True, True]
    [alias], [policy] = action_aliases.find({})[0], policies.find({})[0]
    assert (alias["ref"], alias["enabled"], alias["metadata_file"]) == ("mine.say", False, "aliases/say.yaml")
    assert (policy["ref"], policy["parameters"]) == ("mine.few", {"threshold": 2, "action": "delay"})
    (directory[0] / "aliases" / "say.yaml").unlink()
    (directory[0] / "policies" / "few.yaml").write_text("name: [few")
    registrar.register(config, ["aliases", "policies"], directory)
    assert (action_aliases.find({})[1], policies.find({})[1]) == (0, 1)
    assert registrar.unregister("mine")["policies"] == 1


EVENT = "name: {0}\n"
RULE = "name: {0}\nenabled: true\ntrigger: {{type: {1}}}\naction: {{ref: core.echo}}\n"


def test_triggers_and_rules_of_packs(database: Documents, config: cfg.ConfigOpts, tmp_path: Path) -> None:
    # A rule may wait for what a pack registers that comes after its own.
    write(
        tmp_path,
        {
            "early/pack.yaml": MANIFEST.format("early"),
            "early/rules/wait.yaml": RULE.format("wait", "late.event"),
            "early/rules/broken.yaml": RULE.format("broken", "late.nosuch"),
            "late/pack.yaml": MANIFEST.format("late"),
            "late/triggers/event.yaml": EVENT.format("event"),
            "late/triggers/bad.yaml": "name: bad\npayload_schema: {type: objekt}\n",
        },
    )
    report = registrar.register(config)
    assert len(report.errors) == 2
    assert 'no trigger type "late.nosuch"' in " ".join(report.errors)
    assert "payload_schema: it is not a JSON schema" in " ".join(report.errors)
    [wait] = rules.find({"pack": "early"})[0]
    assert (wait["enabled"], wait["trigger"]["ref"], wait["metadata_file"]) == (True, "late.event", "rules/wait.yaml")
    before = rules.find({})[0], trigger_types.find({})[0], triggers.find()[0]
    registrar.register(config)
    assert (rules.find({})[0], trigger_types.find({})[0], triggers.find()[0]) == before
    assert rules.get("examples.webhook_to_action") is not None
    hooks = triggers.find(["core.st2.webhook"])[0]
    assert {"url": "sample"} in [trigger["parameters"] for trigger in hooks]
    for name in ("early/rules/wait.yaml", "late/triggers/event.yaml", "late/triggers/bad.yaml"):
        (tmp_path / "packs" / name).unlink()
    registrar.register(config)
    assert (rules.get("early.wait"), trigger_types.get("late.event"), triggers.get("late.event")) == (None, None, None)
    assert registrar.unregister("examples")["rules"] > 0
    assert {"url": "sample"} not in [trigger["parameters"] for trigger in triggers.find(["core.st2.webhook"])[0]]
