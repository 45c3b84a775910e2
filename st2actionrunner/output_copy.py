"""The beginning of an action's output, kept beside the log so that a small result needs no reading back."""

from __future__ import annotations

from st2common.output.chunk import Chunk, Stream
from st2common.output.log import OutputLog

# Bytes of a stream that a result carries itself. What is longer stays in the log alone, and is read from there.
INLINE_BYTES = 64 * 1024


class OutputCopy:
    """Collects the chunks of one attempt as they get their numbers."""

    def __init__(self, attempt: int) -> None:
        self._attempt = attempt
        self._data = {stream: bytearray() for stream in Stream}
        #: Bytes of the streams in the log, those of earlier attempts included.
        self._total = dict.fromkeys(Stream, 0)

    def add(self, chunk: Chunk) -> None:
        self._total[chunk.stream] = chunk.offset + len(chunk.data)
        if chunk.attempt == self._attempt and len(self._data[chunk.stream]) <= INLINE_BYTES:
            # One chunk too many tells that there is more.
            self._data[chunk.stream] += chunk.data

    def take_stored(self, log: OutputLog, execution_id: str) -> None:
        """Take in what the log holds from before this process. Repeating it is safe."""
        for stream in Stream:
            self._data[stream].clear()
            after = 0
            while len(self._data[stream]) <= INLINE_BYTES and (page := log.read_stream(execution_id, stream, after)):
                for chunk in page:
                    self.add(chunk)
                after = page[-1].stream_seq
            if last := log.last(execution_id, stream):
                self._total[stream] = last.offset + len(last.data)

    def text(self, stream: Stream) -> str:
        """All that this attempt has printed, or nothing where it is longer than INLINE_BYTES."""
        data = self._data[stream]
        return data.decode("utf-8", "replace") if len(data) <= INLINE_BYTES else ""

    def left_in_log(self) -> dict[str, int]:
        """Bytes of each stream that is too long to be carried."""
        return {str(stream): self._total[stream] for stream in Stream if len(self._data[stream]) > INLINE_BYTES}
