"""Reading the YAML files of packs: plain data only, no doubled keys, and limits on what a file may become."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from st2common.content.errors import ContentError

# Bytes. Metadata is written by hand; larger files are something else.
MAX_BYTES = 1024 * 1024
# Values in the whole document with its aliases followed: a few lines of aliases can stand for billions.
MAX_VALUES = 100_000

Document = dict[str, Any]


try:
    # That of libyaml, which the wheels of PyYAML have, is some ten times as fast.
    from yaml import CSafeLoader as _SafeLoader
except ImportError:
    from yaml import SafeLoader as _SafeLoader  # type: ignore[assignment]


class _Loader(_SafeLoader):
    """Dates stay text, as in JSON; a key that stands twice is an error."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                continue
            if key.tag != "tag:yaml.org,2002:str":
                raise yaml.MarkedYAMLError(
                    problem=f"the key {key.value} is not text: quote it", problem_mark=key.start_mark
                )
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f'the key "{key.value}" stands twice', problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def load(path: Path) -> Document:
    """The mapping that a YAML file holds.

    Raises:
        ContentError: the file cannot be read, is no YAML, is too large, or holds something else.
    """
    content = _content(path)
    if not isinstance(content, dict):
        raise ContentError(f"{path}: a mapping is expected, not {type(content).__name__}")
    return content


def load_list(path: Path) -> list[Document]:
    """The list of mappings that a YAML file holds. Raises as :func:`load`."""
    content = _content(path)
    if not isinstance(content, list) or not all(isinstance(item, dict) for item in content):
        raise ContentError(f"{path}: a list of mappings is expected")
    return content


def read_text(text: str, source: str) -> tuple[Any, yaml.Node | None]:
    """What a YAML text holds, and the same as nodes, which know their lines. ``source`` is what errors call it.

    Raises:
        ContentError: it is no YAML, is too large, or nested too deep.
    """
    if len(text) > MAX_BYTES:
        raise ContentError(f"{source}: larger than {MAX_BYTES} bytes")
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        content = None if node is None else loader.construct_document(node)
        values = _count(content, {})
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ContentError(f"{source}{line}: {error.problem or error.context}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise ContentError(f"{source}: {error}") from error
    except RecursionError as error:
        raise ContentError(f"{source}: nested too deep") from error
    if values > MAX_VALUES:
        raise ContentError(f"{source}: more than {MAX_VALUES} values")
    return content, node


def _content(path: Path) -> Any:
    return read_text(_read(path), str(path))[0]


def _read(path: Path) -> str:
    try:
        if path.exists() and not path.is_file():
            # A pipe would never end, and a device is nobody's metadata.
            raise ContentError(f"{path}: no file")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ContentError(f"{path}: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        raise ContentError(f"{path}: larger than {MAX_BYTES} bytes")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ContentError(f"{path}: not UTF-8 text (byte {error.start})") from error


def _count(value: Any, known: dict[int, int]) -> int:
    """Values in ``value``. Each object is counted once and multiplied by how often it is used, so this ends soon.

    Raises:
        ValueError: the document contains itself.
    """
    if not isinstance(value, dict | list):
        return 1
    identity = id(value)
    if identity not in known:
        known[identity] = -1
        known[identity] = 1 + sum(
            _count(inner, known) for inner in (value.values() if isinstance(value, dict) else value)
        )
    if known[identity] < 0:
        raise ValueError("an alias refers to what it is a part of")
    return known[identity]
