"""What people write to name a pack."""

from __future__ import annotations

from pathlib import Path

import pytest

from st2common.content import pack_source
from st2common.content.pack_index import PackIndex
from st2common.content.pack_source import InstallError, PackSource

INDEX = PackIndex(
    {
        "demo": {"repo_url": "https://git.example.com/demo.git"},
        "local": {"repo_url": "file:///srv/demo.git"},
        "evil": {"repo_url": "ext::sh -c id"},
    },
    [{"url": "https://i.example.com", "message": "away", "error": "unresponsive", "packs": 0}],
)


@pytest.mark.parametrize(
    ("wanted", "location", "revision"),
    [
        ("demo", "https://git.example.com/demo.git", None),
        ("demo=1.2.3", "https://git.example.com/demo.git", "1.2.3"),
        ("demo=feature/x", "https://git.example.com/demo.git", "feature/x"),
        ("local", "/srv/demo.git", None),
        ("https://u:p@git.example.com/x.git=main", "https://u:p@git.example.com/x.git", "main"),
        ("git@example.com:x/y.git", "git@example.com:x/y.git", None),
        ("org/repo=abc123", "https://github.com/org/repo", "abc123"),
    ],
)
def test_sources(wanted: str, location: str, revision: str | None) -> None:
    assert pack_source.find(wanted, lambda: INDEX) == PackSource(location, revision)


def test_directories(tmp_path: Path) -> None:
    directory = tmp_path / "a=b"
    directory.mkdir()
    for wanted in (str(directory), f"file://{directory}"):
        assert pack_source.find(wanted, lambda: INDEX) == PackSource(str(directory), None)
    assert pack_source.find(f"{tmp_path}=v1", lambda: INDEX) == PackSource(str(tmp_path), "v1")


@pytest.mark.parametrize(
    "wanted",
    ["nosuch", "evil", "/nowhere", "--upload-pack=x", "-x", "ext::sh -c id", "demo=--force", "demo=a b", "", "a/b/c"],
)
def test_what_is_none(wanted: str) -> None:
    with pytest.raises(InstallError):
        pack_source.find(wanted, lambda: INDEX)


def test_what_is_said_has_no_password() -> None:
    assert str(PackSource("https://u:secret@example.com/x.git", "v1")) == "https://example.com/x.git at v1"
    with pytest.raises(InstallError, match=r"i.example.com: away"):
        pack_source.find("nosuch", lambda: INDEX)


@pytest.mark.parametrize(
    "wanted", ["demo=1", "https://x.example/stackstorm-demo.git=v1", "o/st2-demo", "file:///a/demo/"]
)
def test_names(wanted: str) -> None:
    assert pack_source.name_of(wanted) == "demo"
