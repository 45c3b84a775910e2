from __future__ import annotations

import os
from pathlib import Path

import pytest

from st2common.content.errors import ContentError
from st2common.content.loader import MAX_BYTES, load


def written(directory: Path, text: str | bytes) -> Path:
    path = directory / "file.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_plain_data(tmp_path: Path) -> None:
    text = "---\na: &x {b: 1, c: null}\nd: *x\ne:\n  <<: *x\n  b: 2\nday: 2017-08-31\nyes_no: [yes, 'no']\n"
    assert load(written(tmp_path, text)) == {
        "a": {"b": 1, "c": None},
        "d": {"b": 1, "c": None},
        "e": {"b": 2, "c": None},
        "day": "2017-08-31",
        "yes_no": [True, "no"],
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", ':3: the key "a" stands twice'),
        ("a: {b: 1, b: 2}\n", ':1: the key "b" stands twice'),
        ("a: 1\non: 2\n", ":2: the key on is not text: quote it"),
        ("a: [1, 2\nb: 3\n", ":2: "),
        ("a: !!python/object/apply:os.system [id]\n", ":1: could not determine a constructor"),
        ("- a\n", ": a mapping is expected, not list"),
        ("", ": a mapping is expected, not NoneType"),
        (b"a: \xff\n", ": not UTF-8 text (byte 3)"),
        ("a: &a [*a]\n", ": an alias refers to what it is a part of"),
        ("a: " + "[" * 5000, ":1: exceeded maximum nesting depth"),
        ("a: " + "x" * MAX_BYTES, f": larger than {MAX_BYTES} bytes"),
    ],
)
def test_what_is_refused_and_where(tmp_path: Path, text: str | bytes, message: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ContentError) as raised:
        load(path)
    assert str(raised.value).startswith(f"{path}{message}")


def test_a_few_lines_that_stand_for_billions(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
    with pytest.raises(ContentError, match="more than 100000 values"):
        load(written(tmp_path, "\n".join(lines)))


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "device.yaml").symlink_to("/dev/zero")
    (tmp_path / "circle.yaml").symlink_to("circle.yaml")
    for name in ("pipe.yaml", "device.yaml", "circle.yaml"):
        with pytest.raises(ContentError, match=name):
            load(tmp_path / name)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ContentError, match=r"absent\.yaml: No such file or directory"):
        load(tmp_path / "absent.yaml")
