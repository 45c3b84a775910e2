"""How topic exchanges match routing keys, for the broker that is not RabbitMQ."""

from __future__ import annotations

from collections.abc import Sequence


def matches(pattern: str, routing_key: str) -> bool:
    """Whether a binding takes a key: ``*`` is exactly one dot-separated word, ``#`` is any number, none included."""
    if pattern in ("#", routing_key):
        return True
    return _match(_words(pattern), _words(routing_key))


def _words(text: str) -> list[str]:
    return text.split(".") if text else []


def _match(pattern: Sequence[str], words: Sequence[str]) -> bool:
    # Which prefixes of the words the pattern so far can match: a row per pattern word, so never exponential.
    reached = [True] + [False] * len(words)
    for part in pattern:
        if part == "#":
            first = reached.index(True) if True in reached else len(reached)
            reached = [at >= first for at in range(len(reached))]
        else:
            reached = [False] + [before and part in ("*", word) for before, word in zip(reached, words, strict=False)]
    return reached[-1]
