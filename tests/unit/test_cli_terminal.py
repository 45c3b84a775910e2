"""What a terminal is shown: colours pass, everything else that it would obey does not, at every split."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from st2cli.terminal import SGR, Neutraliser, neutralise

_CASES = {
    "plain\ttext\nnext": "plain\ttext\nnext",
    "\x1b[31mred\x1b[0m": "\x1b[31mred\x1b[0m",
    "\x1b[1;38:5:196mx\x1b[m": "\x1b[1;38:5:196mx\x1b[m",
    "a\x1b[2Kb\x1b[10;20Hc\x1b[?25ld": "abcd",
    "\x1b[>4;2mno style": "no style",
    "\x1b]0;title\x07shown": "shown",
    "\x1b]52;c;Y2xpcGJvYXJk\x1b\\shown": "shown",
    "\x1b]8;;http://example.com\x1b\\link\x1b]8;;\x1b\\": "link",
    "\x1bP+q544e\x1b\\after": "after",
    "\x1b_apc\x1b\\\x1b^pm\x1b\\\x1bXsos\x1b\\x": "x",
    "\x1bcreset \x1b7save \x1b(Bset": "reset save set",
    "\x1b]0;never ends\nnext line": "^[]0;never ends\nnext line",
    "bell\x07 back\x08 del\x7f nul\x00 cr\r": "bell^G back^H del^? nul^@ cr^M",
    "c1 \x9b31m \x9d0;t\x9c": "c1 \\x9b31m \\x9d0;t\\x9c",
    "ends with \x1b": "ends with ^[",
    "ends with \x1b[31": "ends with ^[[31",
    "\x1b\x1b[31mtwice": "^[\x1b[31mtwice",
    "\x1b[31\x01m": "^[[31^Am",
    "\x1b]" + "x" * 5000 + "\x07": "^[]" + "x" * 5000 + "^G",
}


@pytest.mark.parametrize(("text", "shown"), _CASES.items())
def test_the_table(text: str, shown: str) -> None:
    assert neutralise(text) == shown


@pytest.mark.parametrize("text", [text for text in _CASES if len(text) < 100])
def test_every_split_gives_the_same(text: str) -> None:
    for position in range(len(text) + 1):
        assert _in_pieces([text[:position], text[position:]]) == neutralise(text), position
    assert _in_pieces(list(text)) == neutralise(text)


_texts = st.text(st.sampled_from("\x1b[]P\\\x07m;:0123?Hc(B\n\r\t ax\x9b\x9c\x00ü"), max_size=40)


@given(_texts, st.lists(st.integers(0, 40), max_size=5))
def test_any_split_gives_the_same(text: str, cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    assert _in_pieces([text[a:b] for a, b in itertools.pairwise(edges)]) == neutralise(text)


@given(_texts)
def test_nothing_but_colours_is_left(text: str) -> None:
    rest = SGR.sub("", neutralise(text))
    assert not [char for char in rest if (ord(char) < 0x20 and char not in "\t\n") or 0x7F <= ord(char) <= 0x9F]


def _in_pieces(pieces: list[str]) -> str:
    neutraliser = Neutraliser()
    return "".join(neutraliser.feed(piece) for piece in pieces) + neutraliser.close()
