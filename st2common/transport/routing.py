"""Routing keys of topic exchanges: what is one, and which bindings take it."""

from __future__ import annotations

from collections.abc import Sequence

# Bytes in UTF-8; the protocol has one byte for the length.
MAX_KEY_BYTES = 255


def check_key(key: str) -> str:
    """The key itself.

    Raises:
        ValueError: it is too long. Found here, since a broker would end the connection over it.
    """
    if len(key.encode()) > MAX_KEY_BYTES:
        raise ValueError(f"a routing key has at most {MAX_KEY_BYTES} bytes: {key[:40]!r}...")
    return key


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
