"""The beginning of an action's output, kept beside the log so that a small result needs no reading back."""

from __future__ import annotations

from st2common.output.chunk import Chunk, Stream
from st2common.output.log import OutputLog

# Bytes of a stream that a result carries itself. What is longer stays in the log alone, and is read from there.
INLINE_BYTES = 64 * 1024


class OutputCopy:
    """Collects chunks as they get their numbers."""

    def __init__(self) -> None:
        self._data = {stream: bytearray() for stream in Stream}
        self._total = dict.fromkeys(Stream, 0)

    def add(self, chunk: Chunk) -> None:
        self._total[chunk.stream] += len(chunk.data)
        if self._total[chunk.stream] <= INLINE_BYTES:
            self._data[chunk.stream] += chunk.data
        else:
            self._data[chunk.stream].clear()

    def take_stored(self, log: OutputLog, execution_id: str) -> None:
        """Take in what the log holds from before this process."""
        for stream in Stream:
            after = 0
            while self._total[stream] <= INLINE_BYTES and (page := log.read_stream(execution_id, stream, after)):
                for chunk in page:
                    self.add(chunk)
                after = page[-1].stream_seq
            last = log.last(execution_id, stream)
            self._total[stream] = last.offset + len(last.data) if last else 0

    def text(self, stream: Stream) -> str:
        """The whole stream, or nothing where it is longer than INLINE_BYTES."""
        return self._data[stream].decode("utf-8", "replace")

    def left_in_log(self) -> dict[str, int]:
        """Bytes of each stream that is too long to be carried."""
        return {str(stream): total for stream, total in self._total.items() if total > INLINE_BYTES}
