"""Where the services are and who we are: command line, then environment, then ``~/.st2/config``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from st2cli import config_file, token_cache
from st2cli.config_file import Flags
from st2cli.errors import CommandError
from st2cli.times import zone_named

if TYPE_CHECKING:
    from datetime import tzinfo

_DEFAULT_BASE_URL = "http://127.0.0.1"
_AUTH_PORT = 9100
_API_PORT = 9101
_STREAM_PORT = 9102


class Settings(NamedTuple):
    """Base URLs (no trailing slash) and the headers that identify the user."""

    api_url: str
    stream_url: str
    auth_url: str
    headers: Mapping[str, str] = MappingProxyType({})
    #: User and password of the file, to log in with where the headers do not say who we are, or no more.
    login: tuple[str, str] | None = None
    #: Whether the headers hold the token of an earlier login.
    remembered: bool = False
    #: The user of the file.
    username: str | None = None
    #: A bundle of certificates to trust for https; None: the system's.
    cacert: str | None = None
    #: Where a login is remembered.
    config_path: Path = Path()
    #: Where tokens are kept; None: nowhere.
    token_directory: Path | None = None
    #: Whether each request is told.
    debug: bool = False
    #: In which times are shown; None: UTC.
    zone: tzinfo | None = None
    #: What the person should know.
    warnings: tuple[str, ...] = ()


def load(flags: Flags, environ: Mapping[str, str], home: Path) -> Settings:
    """The settings in force.

    ``flags`` may hold base_url, api_url, stream_url, auth_url, api_version, token, api_key, basic_auth, cacert,
    config_file, skip_config, debug; absent and None are the same.
    """
    file = config_file.read(flags, environ, home)

    def setting(name: str, section: str, option: str) -> str | None:
        return flags.get(name) or environ.get(f"ST2_{name.upper()}") or file.get(section, {}).get(option) or None

    base = (setting("base_url", "general", "base_url") or _DEFAULT_BASE_URL).rstrip("/")
    version = setting("api_version", "general", "api_version") or "v1"
    api_url = setting("api_url", "api", "url") or f"{base}:{_API_PORT}/{version}"
    stream_url = setting("stream_url", "stream", "url") or f"{base}:{_STREAM_PORT}/{version}"
    auth_url = setting("auth_url", "auth", "url") or f"{base}:{_AUTH_PORT}"
    credentials = file.get("credentials", {})
    user, password = credentials.get("username") or None, credentials.get("password") or None
    tokens = home / ".st2" if config_file.boolean(file, "cli", "cache_token", True) else None
    headers = _named_identity(flags, environ, credentials)
    cached = None if headers or not tokens else token_cache.read(tokens, user)
    basic = setting("basic_auth", "credentials", "basic_auth")
    config_path = config_file.path_of(flags, environ, home)
    return Settings(
        api_url=api_url.rstrip("/"),
        stream_url=stream_url.rstrip("/"),
        auth_url=auth_url.rstrip("/"),
        headers=({"Authorization": basic_authorization(basic)} if basic else {}) | (headers or _headers(cached, None)),
        login=(user, password) if user and password and not headers else None,
        remembered=cached is not None,
        username=user,
        cacert=setting("cacert", "general", "cacert"),
        config_path=config_path,
        token_directory=tokens,
        debug=bool(flags.get("debug")) or config_file.boolean(file, "cli", "debug", False),
        zone=_zone(file.get("cli", {}).get("timezone", "")),
        warnings=_warnings(
            config_path if credentials.keys() & {"password", "api_key", "basic_auth"} else None,
            token_cache.path_of(tokens, user) if tokens and user and cached else None,
        ),
    )


def _named_identity(flags: Flags, environ: Mapping[str, str], file: Mapping[str, str]) -> dict[str, str]:
    """The headers of the token and the key that somebody has named; empty where there is none.

    What is named nearest to the command wins as a whole: a token of the environment is not sent along with a key given
    on the command line.
    """
    for token, key in (
        (flags.get("token"), flags.get("api_key")),
        (environ.get("ST2_AUTH_TOKEN"), environ.get("ST2_API_KEY")),
        (None, file.get("api_key")),
    ):
        if token or key:
            return _headers(token, key)
    return {}


def _zone(name: str) -> tzinfo | None:
    try:
        return zone_named(name)
    except ValueError as error:
        raise CommandError(f"[cli] timezone of the configuration file: {error}") from error


def _warnings(*secret: Path | None) -> tuple[str, ...]:
    return tuple(
        f"Others can read {path}, which holds secrets: chmod 600 {path}"
        for path in secret
        if path and config_file.is_open(path)
    )


def basic_authorization(user_and_password: str) -> str:
    """The value of the header ``Authorization`` for ``user:password``."""
    import base64

    return "Basic " + base64.b64encode(user_and_password.encode()).decode("ascii")


def _headers(token: str | None, key: str | None) -> dict[str, str]:
    headers = {}
    if token:
        headers["X-Auth-Token"] = token
    if key:
        headers["St2-Api-Key"] = key
    return headers
