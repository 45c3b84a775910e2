"""Where the services are and who we are: command line, then environment, then ``~/.st2/config``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from st2cli import config_file, token_cache

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
    #: User and password of the file, to log in with because nothing else says who we are.
    login: tuple[str, str] | None = None
    #: The user of the file.
    username: str | None = None
    #: A bundle of certificates to trust for https; None: the system's.
    cacert: str | None = None
    #: Where a login is remembered.
    config_path: Path = Path()
    #: Where tokens are kept; None: nowhere.
    token_directory: Path | None = None


def load(flags: Mapping[str, str | None], environ: Mapping[str, str], home: Path) -> Settings:
    """The settings in force.

    ``flags`` may hold base_url, api_url, stream_url, auth_url, api_version, token, api_key, cacert, config_file; absent
    and None are the same.
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
    keeps_tokens = file.get("cli", {}).get("cache_token", "true").lower() not in {"false", "no", "off", "0"}
    tokens = home / ".st2" if keeps_tokens else None
    headers, login = _identity(flags, environ, credentials, tokens)
    return Settings(
        api_url=api_url.rstrip("/"),
        stream_url=stream_url.rstrip("/"),
        auth_url=auth_url.rstrip("/"),
        headers=headers,
        login=login,
        username=credentials.get("username") or None,
        cacert=setting("cacert", "general", "cacert"),
        config_path=config_file.path_of(flags, environ, home),
        token_directory=tokens,
    )


def _identity(
    flags: Mapping[str, str | None], environ: Mapping[str, str], file: Mapping[str, str], tokens: Path | None
) -> tuple[dict[str, str], tuple[str, str] | None]:
    """The headers that say who we are, and the login that does so where they do not."""
    headers = {}
    if basic := file.get("basic_auth"):
        headers["Authorization"] = basic_authorization(basic)
    user, password = file.get("username"), file.get("password")
    # What is named nearest to the command wins as a whole: a token of the environment is not sent along with a
    # key given on the command line.
    for token, key in (
        (flags.get("token"), flags.get("api_key")),
        (environ.get("ST2_AUTH_TOKEN"), environ.get("ST2_API_KEY")),
        (None, file.get("api_key")),
        (token_cache.read(tokens, user) if tokens else None, None),
    ):
        if token or key:
            return headers | _headers(token, key), None
    return headers, (user, password) if user and password else None


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
