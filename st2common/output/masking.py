"""Replaces secrets in a stream of bytes, however the stream is split.

The matcher is fed piece by piece and emits what can no longer be part of a secret. What could still become one is held
back, at most one byte less than the longest secret, until more arrives or the stream ends. Secrets may overlap, nest
and span lines: every byte of every match is replaced.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from urllib.parse import quote

MASK = b"********"

# Shorter secrets match by accident: masking every "1" or "yes" would ruin the output, and its holes would tell them.
MIN_SECRET_BYTES = 4


def needles(secrets: Iterable[str]) -> list[bytes]:
    """The texts to look for: each secret, each of its lines, and their base64, URL and JSON forms; longest first."""
    found: set[bytes] = set()
    for secret in secrets:
        for text in {secret, *secret.splitlines()}:
            raw = text.encode("utf-8", "surrogateescape")
            found.add(raw)
            found.update(_base64_forms(raw))
            found.add(quote(raw, safe="").encode())
            found.add(json.dumps(text, ensure_ascii=False)[1:-1].encode("utf-8", "surrogateescape"))
            found.add(json.dumps(text)[1:-1].encode())
    return sorted((needle for needle in found if len(needle) >= MIN_SECRET_BYTES), key=lambda n: (-len(n), n))


def _base64_forms(raw: bytes) -> Iterable[bytes]:
    """Base64 of ``raw`` at each of the three alignments it may have inside a longer text, without the edges that
    depend on the neighbours; both alphabets."""
    if len(raw) < MIN_SECRET_BYTES:
        return
    yield base64.b64encode(raw)
    for lead in range(3):
        usable = (len(raw) + lead) // 3 * 3 - lead
        encoded = base64.b64encode(b"\0" * lead + raw[:usable])[(0, 2, 3)[lead] :]
        yield encoded
        yield encoded.translate(bytes.maketrans(b"+/", b"-_"))


def mask_text(text: str, needles: list[bytes]) -> str:
    """A whole text, masked. Lone surrogates, which JSON may bring, pass."""
    if not needles:
        return text
    masker = Masker(needles)
    data = text.encode("utf-8", "surrogatepass")
    return (masker.feed(data) + masker.close()).decode("utf-8", "surrogatepass")


class Secrets:
    """The secrets of one log. More may become known while it is written, to another thread than the writer's."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._texts = dict.fromkeys(texts)
        #: What to look for: another list whenever there is more.
        self.needles = needles(self._texts)

    def add(self, texts: Iterable[str]) -> None:
        known = self._texts | dict.fromkeys(texts)
        if len(known) > len(self._texts):
            self._texts, self.needles = known, needles(known)

    def mask(self, text: str) -> str:
        """A whole text, masked. Lone surrogates, which JSON may bring, pass."""
        return mask_text(text, self.needles)


class Masker:
    """The matcher of one stream. Not thread-safe."""

    def __init__(self, needles: list[bytes], covered: int = 0) -> None:
        """``covered``: see :attr:`covered`, where a stream is taken up again in the middle."""
        self.look_for(needles)
        self._held = b""
        #: How many of the held bytes are part of a match whose mask is out already.
        self.covered = covered
        #: Matches replaced so far; overlapping ones count as one.
        self.count = 0

    def look_for(self, needles: list[bytes]) -> None:
        """From now on, and in what is held back. What is out stays as it is."""
        self._needles = needles
        self._longest = max(map(len, needles), default=0)
        self._by_head: dict[bytes, list[bytes]] = {}
        for needle in needles:
            self._by_head.setdefault(needle[:MIN_SECRET_BYTES], []).append(needle)
        self._any = re.compile(b"|".join(map(re.escape, needles))) if needles else None

    @property
    def held(self) -> int:
        """Bytes taken in that may still become a secret."""
        return len(self._held)

    def feed(self, data: bytes) -> bytes:
        """Take ``data`` in; what is certain now, masked."""
        if self._any is None:
            return data
        text = self._held + data
        safe = self._first_open(text)
        return self._emit(text, safe)

    def close(self) -> bytes:
        """The stream has ended: what was held is no secret."""
        text, self._held = self._held, b""
        return self._emit(text, len(text)) if text else b""

    def cut(self) -> bytes:
        """The rest of the stream is missing: what was held may be the beginning of a secret, and is masked like one."""
        held, self._held = self._held, b""
        covered, self.covered = self.covered, 0
        if not held or covered:
            return b""
        self.count += 1
        return MASK

    def _first_open(self, text: bytes) -> int:
        """The first position from which ``text`` to its end is the beginning of a secret, and not all of it."""
        for start in range(max(0, len(text) - self._longest + 1), len(text)):
            head = text[start : start + MIN_SECRET_BYTES]
            candidates = self._by_head.get(head, ()) if len(head) == MIN_SECRET_BYTES else self._needles
            if candidates:
                tail = text[start:]
                if any(len(needle) > len(tail) and needle.startswith(tail) for needle in candidates):
                    return start
        return len(text)

    def _emit(self, text: bytes, safe: int) -> bytes:
        """Output for ``text[:safe]``, and for a match that begins there; hold the rest."""
        out: list[bytes] = []
        position = 0
        for start, end in self._matches(text):
            if start == 0 and self.covered:
                position = end  # its mask is out already
                continue
            if start >= safe:
                break
            out += [text[position:start], MASK]
            self.count += 1
            position = end
        if position < safe:
            out.append(text[position:safe])
        self._held = text[safe:]
        self.covered = max(0, position - safe)
        return b"".join(out)

    def _matches(self, text: bytes) -> list[tuple[int, int]]:
        """Where secrets lie, overlapping ones merged, the part that is covered already first."""
        spans = [(0, self.covered)] if self.covered else []
        if self._any is not None and self._any.search(text):
            for needle in self._needles:
                start = text.find(needle)
                while start >= 0:
                    spans.append((start, start + len(needle)))
                    start = text.find(needle, start + 1)
        merged: list[tuple[int, int]] = []
        for start, end in sorted(spans):
            if merged and start < merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((start, end))
        return merged
