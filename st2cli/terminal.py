"""What a terminal may be shown: text and colours, and nothing else that a terminal would obey.

The output of an action is written by others. Sequences that move the cursor, set the title, write the clipboard or
ask the terminal to answer are left out or made visible; only SGR (colour and style) passes.
"""

from __future__ import annotations

import re

#: Text without a match needs no care: no control characters but tab and newline.
NEEDS_CARE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
#: Colours and styles: digits, ";" and ":" only; "ESC [ > ... m" is another command.
SGR = re.compile(r"\x1b\[[0-9;:]{0,64}m")

# The bounds keep what has to be held back small; what exceeds them is shown as text, which is harmless as well.
_SEQUENCE = re.compile(
    r"\x1b(?:"
    r"\[[0-?]{0,64}[ -/]{0,8}[@-~]"  # CSI
    r"|[\]PX^_][^\x07\x1b\n]{0,4096}(?:\x07|\x1b\\)"  # OSC, DCS, SOS, PM, APC up to their terminator
    r"|[ -/]{0,8}[0-OQ-WYZ\\`-~]"  # two characters, or character sets
    r")"
)
_BEGUN_SEQUENCE = re.compile(
    r"\x1b(?:\[[0-?]{0,64}[ -/]{0,8}|[\]PX^_][^\x07\x1b\n]{0,4096}\x1b?|[ -/]{0,8})\Z"
)  # fmt: skip


class Neutraliser:
    """Incremental: the pieces in which a text arrives do not change what comes out."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, text: str) -> str:
        """The harmless form of ``text`` so far; the beginning of a sequence is held back until its end is known."""
        text = self._held + text
        self._held = ""
        if NEEDS_CARE.search(text) is None:
            return text
        shown: list[str] = []
        position = 0
        while (control := NEEDS_CARE.search(text, position)) is not None:
            shown.append(text[position : control.start()])
            position = control.start()
            if text[position] != "\x1b":
                shown.append(_visible(text[position]))
                position += 1
            elif (sequence := _SEQUENCE.match(text, position)) is not None:
                if SGR.fullmatch(sequence.group()):
                    shown.append(sequence.group())
                position = sequence.end()
            elif _BEGUN_SEQUENCE.match(text, position):
                self._held = text[position:]
                return "".join(shown)
            else:
                shown.append(_visible("\x1b"))
                position += 1
        shown.append(text[position:])
        return "".join(shown)

    def close(self) -> str:
        """What was held back and never became a sequence, made visible."""
        held, self._held = self._held, ""
        return NEEDS_CARE.sub(lambda control: _visible(control.group()), held)


def neutralise(text: str) -> str:
    """The harmless form of a whole text."""
    if NEEDS_CARE.search(text) is None:
        return text
    neutraliser = Neutraliser()
    return neutraliser.feed(text) + neutraliser.close()


def without_colours(text: str) -> str:
    return SGR.sub("", text)


def _visible(control: str) -> str:
    """``^[`` for ESC and its like; ``\\x9b`` for the C1 controls, which have no such name."""
    code = ord(control)
    return f"\\x{code:02x}" if code >= 0x80 else "^" + chr(code ^ 0x40)
