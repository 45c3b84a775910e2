from __future__ import annotations

import sys

from st2common.runners.base_action import Action


class OddOutput(Action):
    def run(self, kind: str, size: int) -> int:
        every_byte = bytes(range(256))
        data = every_byte * (size // 256) if kind == "bytes" else b"0123456789abcdef" * (size // 16) + b"\n"
        sys.stdout.buffer.write(data)
        return len(data)
