"""Which sensors a container runs, where there are several: ``[sensorcontainer] partition_provider``.

* ``name:default``: all of them.
* ``name:kvstore``: those that the key ``<node>.sensor_partition`` of the datastore lists, separated by commas. Without
  the key: all of them.
* ``name:file, partition_file:<path>``: those that the YAML file lists under the name of the node.
* ``name:hash, hash_ranges:<from>..<to>|<from>..<to>``: those whose reference has a hash in one of the ranges. ``MIN``
  and ``MAX`` stand for the ends; the hash is a number of 32 bits, the first bytes of the SHA-256.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

from oslo_config import cfg
from pymongo.database import Database

from st2common.content.errors import ContentError
from st2common.content.loader import load
from st2common.errors import ConfigError
from st2common.models.connection import Document
from st2common.models.keys import SYSTEM_SCOPE, Keys

#: Whether a sensor with this reference belongs to this node; made anew for each look, so that changes count at once.
Partition = Callable[[str], bool]

_SPACE = 2**32
_ENDS = {"MIN": 0, "MAX": _SPACE}


def provider(config: cfg.ConfigOpts, database: Database[Document]) -> Callable[[], Partition]:
    """What gives the partition of this node as it is now. Calling that may raise ContentError or PyMongoError.

    Raises:
        ConfigError: the option is not understood.
    """
    options: Mapping[str, str] = config.sensorcontainer.partition_provider
    node: str = config.sensorcontainer.sensor_node_name
    name = options.get("name", "default")
    if name == "default":
        return lambda: _everything
    if name == "kvstore":
        keys = Keys(database)
        return lambda: _of_key(keys, node)
    if name == "file":
        path = Path(_required(options, "partition_file"))
        return lambda: _of_file(path, node)
    if name == "hash":
        ranges = hash_ranges(_required(options, "hash_ranges"))
        return lambda: lambda reference: any(low <= hash_of(reference) < high for low, high in ranges)
    raise ConfigError(
        f'[sensorcontainer] partition_provider: there is no provider "{name}"; say default, kvstore, file or hash'
    )


def hash_of(reference: str) -> int:
    return int.from_bytes(hashlib.sha256(reference.encode()).digest()[:4])


def hash_ranges(text: str) -> list[tuple[int, int]]:
    """``MIN..1000|2000..MAX`` as pairs; the upper end is not a part.

    Raises:
        ConfigError: it is none of that form.
    """
    try:
        ranges = [(_end(low), _end(high)) for low, high in (part.split("..") for part in text.split("|"))]
        if all(0 <= low < high <= _SPACE for low, high in ranges):
            return ranges
    except ValueError:
        pass
    raise ConfigError(
        f'[sensorcontainer] partition_provider: hash_ranges "{text}" is not like MIN..2147483648|3000000000..MAX'
    )


def _end(text: str) -> int:
    text = text.strip()
    return _ENDS[text] if text in _ENDS else int(text)


def _everything(_reference: str) -> bool:
    return True


def _of_key(keys: Keys, node: str) -> Partition:
    found = keys.get(SYSTEM_SCOPE, f"{node}.sensor_partition")
    if found is None:
        return _everything
    mine = frozenset(part.strip() for part in found["value"].split(","))
    return mine.__contains__


def _of_file(path: Path, node: str) -> Partition:
    mine = load(path).get(node)
    if mine is not None and not (isinstance(mine, list) and all(isinstance(item, str) for item in mine)):
        raise ContentError(f"{path}: {node}: a list of references of sensors is expected")
    return frozenset(mine or ()).__contains__


def _required(options: Mapping[str, str], name: str) -> str:
    if not options.get(name):
        raise ConfigError(f"[sensorcontainer] partition_provider: {options['name']} needs {name}:...")
    return options[name]
