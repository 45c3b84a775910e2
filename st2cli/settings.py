"""Where the services are and who we are: command line, then environment, then ``~/.st2/config``."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from st2cli.errors import CommandError

_DEFAULT_BASE_URL = "http://127.0.0.1"
_API_PORT = 9101
_STREAM_PORT = 9102


@dataclass(frozen=True)
class Settings:
    """Base URLs (no trailing slash) and the headers that identify the user."""

    api_url: str
    stream_url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    #: A bundle of certificates to trust for https; None: the system's.
    cacert: str | None = None


def load(flags: Mapping[str, str | None], environ: Mapping[str, str], home: Path) -> Settings:
    """The settings in force.

    ``flags`` may hold base_url, api_url, stream_url, api_version, token, api_key, cacert, config_file; absent and None
    are the same.
    """
    file = _read_file(flags, environ, home)

    def setting(name: str, section: str, option: str) -> str | None:
        return flags.get(name) or environ.get(f"ST2_{name.upper()}") or file.get(section, {}).get(option) or None

    base = (setting("base_url", "general", "base_url") or _DEFAULT_BASE_URL).rstrip("/")
    version = setting("api_version", "general", "api_version") or "v1"
    api_url = setting("api_url", "api", "url") or f"{base}:{_API_PORT}/{version}"
    stream_url = setting("stream_url", "stream", "url") or f"{base}:{_STREAM_PORT}/{version}"
    return Settings(
        api_url=api_url.rstrip("/"),
        stream_url=stream_url.rstrip("/"),
        headers=_credentials(flags, environ, file.get("credentials", {}), home),
        cacert=setting("cacert", "general", "cacert"),
    )


def _read_file(flags: Mapping[str, str | None], environ: Mapping[str, str], home: Path) -> dict[str, dict[str, str]]:
    named = flags.get("config_file") or environ.get("ST2_CONFIG_FILE")
    path = Path(named) if named else home / ".st2" / "config"
    if environ.get("ST2_CLI_SKIP_CONFIG", "").lower() in {"1", "true", "yes"}:
        return {}
    if not path.is_file():
        if named:
            raise CommandError(f"The configuration file {path} does not exist.")
        return {}
    import configparser

    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError, OSError) as error:
        raise CommandError(f"The configuration file {path} cannot be read: {error}") from error
    return {name: dict(parser[name]) for name in parser.sections()}


def _credentials(
    flags: Mapping[str, str | None], environ: Mapping[str, str], file: Mapping[str, str], home: Path
) -> dict[str, str]:
    headers = {}
    if basic := file.get("basic_auth"):
        import base64

        headers["Authorization"] = "Basic " + base64.b64encode(basic.encode()).decode("ascii")
    # What is named nearest to the command wins as a whole: a token of the environment is not sent along with a
    # key given on the command line.
    for token, key in (
        (flags.get("token"), flags.get("api_key")),
        (environ.get("ST2_AUTH_TOKEN"), environ.get("ST2_API_KEY")),
        (_cached_token(file.get("username"), home), file.get("api_key")),
    ):
        if token or key:
            return headers | _identity(token, key)
    return headers


def _identity(token: str | None, key: str | None) -> dict[str, str]:
    headers = {}
    if token:
        headers["X-Auth-Token"] = token
    if key:
        headers["St2-Api-Key"] = key
    return headers


def _cached_token(username: str | None, home: Path) -> str | None:
    """The token that an earlier login of this user left behind, if it is still good."""
    path = home / ".st2" / f"token-{username}"
    if not username or not path.is_file():
        return None
    import json

    try:
        cached = json.loads(path.read_text(encoding="utf-8"))
        return str(cached["token"]) if cached["expire_timestamp"] > time.time() else None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CommandError(f"The cached token {path} cannot be read ({error}); remove it and log in again.") from error
