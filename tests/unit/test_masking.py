"""However the bytes are split, no byte of a secret comes out and every other byte does."""

from __future__ import annotations

import base64
import json
from itertools import pairwise
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from st2common.output.masking import MASK, Masker, needles

SECRETS = ["hunter2hunter2", "two\nlined secret\nhere", "overlap-ab", "ap-abcde", "inside", "an inside job", "aaaa"]


def mask(pieces: list[bytes], secrets: list[str]) -> bytes:
    masker = Masker(needles(secrets))
    return b"".join([*(masker.feed(piece) for piece in pieces), masker.close()])


def expected(text: bytes, secrets: list[str]) -> bytes:
    """The slow and obvious way: mark every byte of every match, then replace each marked stretch."""
    marks = bytearray(len(text))
    joints = set()
    for needle in needles(secrets):
        for start in range(len(text) - len(needle) + 1):
            if text[start : start + len(needle)] == needle:
                marks[start : start + len(needle)] = b"\1" * len(needle)
                joints.update(range(start + 1, start + len(needle)))
    out = bytearray()
    for position, marked in enumerate(marks):
        if not marked:
            out.append(text[position])
        elif position not in joints:
            out += MASK
    return bytes(out)


TEXTS = [
    b"password is hunter2hunter2!",
    b"two\nlined secret\nhere and lined secret alone",
    b"overlap-abcde overlap-ab ap-abcde",
    b"it was an inside job, inside an inside",
    b"xaaaaaaaaay aaa aaaa aaaaa",
    b"hunter2hunter2hunter2hunter2 hunter2hunter",
]


@pytest.mark.parametrize("text", TEXTS)
def test_every_split_position(text: bytes) -> None:
    whole = expected(text, SECRETS)
    for first in range(len(text) + 1):
        for second in range(first, len(text) + 1):
            assert mask([text[:first], text[first:second], text[second:]], SECRETS) == whole


@given(
    st.lists(st.text("ab\n", min_size=4, max_size=7), min_size=1, max_size=4),
    st.lists(st.binary(max_size=6).map(lambda b: bytes(b"ab\n"[x % 3] for x in b)), max_size=25),
)
def test_any_split_of_any_text(secrets: list[str], pieces: list[bytes]) -> None:
    assert mask(pieces, secrets) == expected(b"".join(pieces), secrets)


@given(
    st.lists(st.text("ab", min_size=4, max_size=6), min_size=1, max_size=3),
    st.binary(max_size=60).map(lambda b: bytes(b"ab"[x % 2] for x in b)),
    st.lists(st.integers(0, 60), max_size=6),
)
def test_taken_up_again_where_it_stood(secrets: list[str], text: bytes, cuts: list[int]) -> None:
    """A restart resumes from the source position and the covered count alone, at any point."""
    found = needles(secrets)
    out, masker, source = b"", Masker(found), 0
    for cut in sorted({min(cut, len(text)) for cut in cuts} | {len(text)}):
        out += masker.feed(text[source + masker.held : cut])
        source = cut - masker.held
        masker = Masker(found, masker.covered)
    out += masker.feed(text[source:]) + masker.close()
    assert out == expected(text, secrets)


@given(
    st.lists(st.text("ab", min_size=4, max_size=6), min_size=1, max_size=3),
    st.binary(max_size=40).map(lambda b: bytes(b"ab"[x % 2] for x in b)),
    st.lists(st.integers(0, 40), max_size=4),
)
def test_a_stream_that_is_cut_shows_no_beginning_of_a_secret(secrets: list[str], text: bytes, cuts: list[int]) -> None:
    masker = Masker(needles(secrets))
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    out = b"".join([*(masker.feed(text[start:end]) for start, end in pairwise(places)), masker.cut()])
    assert masker.held == 0
    for secret in secrets:
        # What could go on to a secret behind the cut.
        assert not any(out.endswith(secret.encode()[:length]) for length in range(1, len(secret) + 1))
    shown = out.removesuffix(MASK)
    assert expected(text, secrets).startswith(shown)


def test_encoded_forms_are_secrets_too() -> None:
    secret = 'p@ss "word"/ü'
    text = " ".join(
        [base64.b64encode(lead + secret.encode() + b"tail").decode() for lead in (b"", b"u:", b"x")]
        + [quote(secret, safe=""), json.dumps(secret), json.dumps(secret, ensure_ascii=False)]
    )
    masked = mask([text.encode()], [secret]).decode()
    for form in (quote(secret, safe=""), json.dumps(secret)[1:-1], "cEBzcyAid29yZCI"):
        assert form not in masked
    assert masked.count(MASK.decode()) == 6


def test_short_texts_are_no_secrets() -> None:
    assert mask([b"1 yes abc"], ["1", "yes", "abc", ""]) == b"1 yes abc"


def test_overlapping_matches_count_once() -> None:
    masker = Masker(needles(["abcd", "cdef"]))
    assert masker.feed(b"abcdef abcd") + masker.close() == MASK + b" " + MASK
    assert masker.count == 2
