from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from st2actionrunner.spool import (
    HEADER,
    MAX_PAYLOAD,
    STDERR,
    STDERR_CUT,
    STDOUT,
    SpoolDamaged,
    SpoolReader,
    SpoolWriter,
)

FRAMES = st.lists(
    st.tuples(st.integers(STDOUT, STDERR_CUT), st.binary(max_size=300), st.integers(0, 2**63)), max_size=20
)


def written(path: Path, frames: list[tuple[int, bytes, int]]) -> list[int]:
    """The end offset of each frame."""
    writer = SpoolWriter(str(path))
    ends = []
    for frame in frames:
        writer.append(*frame)
        ends.append(writer.size)
    writer.close()
    return ends


def read_all(reader: SpoolReader, limit: int) -> list[tuple[int, bytes, int]]:
    result = []
    while frames := reader.read(limit):
        result += [(frame.kind, frame.payload, frame.time_us) for frame in frames]
    return result


@given(frames=FRAMES, limit=st.integers(1, 1000), data=st.data())
def test_a_torn_spool_gives_its_whole_frames_and_later_the_rest(frames, limit, data):
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "spool"
        ends = written(path, frames)
        content = path.read_bytes() if frames else b""
        cut = data.draw(st.integers(0, len(content)), label="cut")
        path.write_bytes(content[:cut])
        whole = sum(end <= cut for end in ends)
        reader = SpoolReader(path)
        before = read_all(reader, limit)
        assert before == frames[:whole]
        assert reader.offset == (ends[whole - 1] if whole else 0)
        path.write_bytes(content)
        assert before + read_all(reader, limit) == frames
        reader.close()


@given(frames=FRAMES, data=st.data())
def test_every_end_offset_is_a_place_to_go_on(frames, data):
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "spool"
        ends = written(path, frames)
        index = data.draw(st.integers(0, len(frames)), label="index")
        reader = SpoolReader(path, ends[index - 1] if index else 0)
        assert read_all(reader, 10_000) == frames[index:]
        reader.close()


def test_a_frame_larger_than_the_limit_is_read(tmp_path):
    written(tmp_path / "spool", [(STDOUT, b"x" * 100_000, 1), (STDERR, b"y", 2)])
    reader = SpoolReader(tmp_path / "spool")
    assert [frame.payload for frame in reader.read(10)] == [b"x" * 100_000]
    assert [frame.end_offset for frame in reader.read(10)] == [HEADER.size * 2 + 100_001]
    reader.close()


def test_the_file_may_appear_later(tmp_path):
    reader = SpoolReader(tmp_path / "spool")
    assert reader.read(1000) == []
    written(tmp_path / "spool", [(STDOUT, b"x", 1)])
    assert len(reader.read(1000)) == 1
    reader.close()


@pytest.mark.parametrize("header", [(1, 9, 5), (1, 0, 5), (1, STDOUT, MAX_PAYLOAD + 1)])
def test_damage_is_told(tmp_path, header):
    (tmp_path / "spool").write_bytes(HEADER.pack(*header) + b"12345")
    reader = SpoolReader(tmp_path / "spool")
    with pytest.raises(SpoolDamaged):
        reader.read(1000)
    reader.close()
