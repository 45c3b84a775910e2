"""``st2 trigger-enforcement``: another word for ``st2 rule-enforcement``."""

from __future__ import annotations

from st2cli.commands.rule_enforcement import VERBS

__all__ = ["VERBS"]
