"""``st2 rule``: which action runs when which event comes in."""

from __future__ import annotations

from st2cli.commands.resources import Resource

_RULES = Resource(
    path="/rules",
    singular="rule",
    plural="rules",
    listed=("ref", "enabled", "trigger.type", "action.ref", "description"),
    shown=("id", "ref", "pack", "name", "description", "enabled", "type", "trigger", "criteria", "action", "tags"),
    filters={
        "pack": "only the rules of this pack",
        "action": "only the rules that run this action",
        "trigger": "only the rules that wait for this trigger or trigger type",
        "enabled": "only those that are on (true), or off (false)",
    },
    word="rule",
    sample="examples.webhook_to_action",
)
_EXAMPLES = """\
  st2 rule create my_rule.yaml              a rule is off unless its file says "enabled: true"
  st2 rule list --trigger core.st2.webhook
  st2 rule enable examples.webhook_to_action
  st2 rule-enforcement list --rule examples.webhook_to_action    what came of it"""

_READING, _CHANGING = _RULES.reading(), _RULES.changing()
VERBS = {
    **_READING,
    "list": _READING["list"]._replace(examples=_EXAMPLES),
    **_CHANGING,
    "create": _CHANGING["create"]._replace(examples=_EXAMPLES),
}
