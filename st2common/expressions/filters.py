"""The filters that pack authors use in templates, besides Jinja's own."""

from __future__ import annotations

import functools
import json
import os.path
from typing import Any

import jinja2
import yaml

from st2common.expressions import regexes, versions

# Characters of a JSONPath. It is compiled.
_LONGEST_PATH = 1000

# What ``use_none`` leaves in a text, so that a template can give null: casting turns it back.
NONE_MARK = "%*****__%NONE%__*****%"

# Characters.
_MAX_YAML = 1_000_000

# That of libyaml, where there is one, is some ten times as fast.
_YamlLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def from_json_string(value: str) -> Any:
    return json.loads(value)


def from_yaml_string(value: str) -> Any:
    if len(value) > _MAX_YAML:
        raise ValueError(f"the YAML has more than {_MAX_YAML} characters")
    return yaml.load(value, _YamlLoader)  # noqa: S506 - it is a safe one


def to_json_string(
    value: Any, indent: int | None = None, sort_keys: bool = False, separators: tuple[str, str] = (",", ": ")
) -> str:
    return json.dumps(value, indent=indent, sort_keys=sort_keys, separators=separators)


def to_yaml_string(value: Any, indent: int | None = None, allow_unicode: bool = True) -> str:
    return yaml.safe_dump(value, indent=indent, allow_unicode=allow_unicode, default_flow_style=False)


def to_complex(value: Any) -> str:
    """JSON, so that a template passes a list or an object on as what it is."""
    return json.dumps(value)


def json_escape(value: str) -> str:
    """``value`` as it stands inside a JSON string."""
    return json.dumps(value)[1:-1]


def jsonpath_query(value: Any, query: str) -> list[Any] | None:
    """What a JSONPath finds in ``value``, in a list; None where it finds nothing.

    Raises:
        ValueError: it is no JSONPath.
    """
    return [match.value for match in _jsonpath(query).find(value)] or None


@functools.lru_cache(maxsize=256)
def _jsonpath(query: str) -> Any:
    # Few templates have one. Not the library's extensions: they search by regular expressions without a limit.
    from jsonpath_ng.exceptions import JSONPathError
    from jsonpath_ng.parser import parse

    if len(query) > _LONGEST_PATH:
        raise ValueError(f"A JSONPath has at most {_LONGEST_PATH} characters")
    try:
        return parse(query)
    except (JSONPathError, RecursionError) as error:
        raise ValueError(f'"{query}" is no JSONPath: {error}') from error


def regex_match(value: Any, pattern: str = "", ignorecase: bool = False) -> bool:
    return _regex(pattern, ignorecase).match(str(value)) is not None


def regex_search(value: Any, pattern: str = "", ignorecase: bool = False) -> bool:
    return _regex(pattern, ignorecase).search(str(value)) is not None


def regex_replace(value: Any, pattern: str = "", replacement: str = "", ignorecase: bool = False) -> str:
    return _regex(pattern, ignorecase).sub(replacement, str(value))


def regex_substring(value: Any, pattern: str = "", result_index: int = 0, ignorecase: bool = False) -> Any:
    return _regex(pattern, ignorecase).findall(str(value))[result_index]


def to_human_time_from_seconds(seconds: float) -> str:
    """``3661`` -> ``1h1m1s``; every unit after the first that is not zero is named."""
    rest = round(seconds)
    counts: list[str] = []
    for unit, length in (("y", 31_536_000), ("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, length)
        if count or counts or unit == "s":
            counts.append(f"{count}{unit}")
    return "".join(counts)


def use_none(value: Any) -> Any:
    return NONE_MARK if value is None else value


def _regex(pattern: str, ignorecase: bool) -> regexes.Regex:
    return regexes.compiled(pattern, regexes.IGNORE_CASE if ignorecase else 0)


@jinja2.pass_context
def decrypt_kv(context: jinja2.runtime.Context, value: Any) -> Any:
    """The text of an encrypted value of the datastore. A key that is not there is an error: nobody wants to run an
    action with an empty password."""
    if not value:
        raise ValueError("There is nothing to decrypt: the key does not exist, or its value is empty")
    return context.resolve("st2kv").decrypt(value)


FILTERS: dict[str, Any] = {
    "basename": os.path.basename,
    "decrypt_kv": decrypt_kv,
    "dirname": os.path.dirname,
    "from_json_string": from_json_string,
    "from_yaml_string": from_yaml_string,
    "json_escape": json_escape,
    "jsonpath_query": jsonpath_query,
    "regex_match": regex_match,
    "regex_replace": regex_replace,
    "regex_search": regex_search,
    "regex_substring": regex_substring,
    "to_complex": to_complex,
    "to_human_time_from_seconds": to_human_time_from_seconds,
    "to_json_string": to_json_string,
    "to_yaml_string": to_yaml_string,
    "use_none": use_none,
    "version_bump_major": versions.bump_major,
    "version_bump_minor": versions.bump_minor,
    "version_bump_patch": versions.bump_patch,
    "version_compare": versions.compare,
    "version_equal": versions.equal,
    "version_less_than": versions.less_than,
    "version_match": versions.match,
    "version_more_than": versions.more_than,
    "version_strip_patch": versions.strip_patch,
}
