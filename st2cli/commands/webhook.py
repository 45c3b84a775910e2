"""``st2 webhook``: the requests that rules wait for."""

from __future__ import annotations

from st2cli.commands.resources import Resource

VERBS = Resource(
    path="/webhooks",
    singular="webhook",
    plural="webhooks",
    listed=("parameters.url", "type", "description"),
    shown=("id", "ref", "parameters.url", "type", "description"),
    filters={},
    word="webhook",
    sample="59a7f8260640fd686303e628",
).reading()
