from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from st2common.content.errors import ContentError
from st2common.content.pack_manifest import complete

MANIFEST = {"name": "My Pack", "description": "x", "version": "1.2.3", "author": "Me", "email": "me@example.com"}


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    path = tmp_path / "my_pack"
    (path / "actions" / "__pycache__").mkdir(parents=True)
    for file in ("pack.yaml", "actions/a.yaml", "actions/__pycache__/a.pyc"):
        (path / file).touch()
    return path


def test_what_follows_from_the_directory(pack: Path) -> None:
    filled = complete(MANIFEST, pack)
    assert filled == {**MANIFEST, "ref": "my_pack", "files": ["actions/a.yaml", "pack.yaml"], "path": str(pack)}


@pytest.mark.parametrize(
    ("version", "stored"),
    [(1.0, "1.0.0"), ("0.4", "0.4.0"), ("1.0.0-rc.1+7", "1.0.0-rc.1+7"), ("10.20.30", "10.20.30")],
)
def test_versions(pack: Path, version: Any, stored: str) -> None:
    assert complete(MANIFEST | {"version": version}, pack)["version"] == stored


@pytest.mark.parametrize(
    ("directory", "manifest", "ref"),
    [
        ("some_dir", {"ref": "own"}, "own"),
        ("some_dir", {}, "some_dir"),
        ("some-dir", {"name": "named"}, "named"),
    ],
)
def test_references(tmp_path: Path, directory: str, manifest: dict[str, Any], ref: str) -> None:
    assert complete(MANIFEST | manifest, tmp_path / directory)["ref"] == ref


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": "one"}, "version: 'one' does not match"),
        ({"version": True}, "version: True is not of type 'string'"),
        ({"ref": "No-Ref"}, "ref: 'No-Ref' does not match"),
        ({"ref": "_global"}, 'ref: "_global" is reserved'),
        ({"email": "nobody"}, "email: 'nobody' does not match"),
        ({"keywords": "one"}, "keywords: 'one' is not of type 'array'"),
        ({"python_versions": ["4"]}, "python_versions.0: '4' is not one of ['2', '3']"),
    ],
)
def test_what_is_refused(pack: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ContentError) as raised:
        complete(MANIFEST | change, pack)
    assert str(raised.value).startswith(message)


@pytest.mark.parametrize("name", sorted(MANIFEST))
def test_what_is_missing(pack: Path, name: str) -> None:
    with pytest.raises(ContentError, match=f"{name}"):
        complete({key: value for key, value in MANIFEST.items() if key != name}, pack)


def test_no_name_that_fits(tmp_path: Path) -> None:
    with pytest.raises(ContentError, match="neither the name of the directory nor that of the pack"):
        complete(MANIFEST, tmp_path / "My-Pack")
