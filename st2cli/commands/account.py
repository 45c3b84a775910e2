"""``st2 login``, ``st2 auth`` and ``st2 whoami``: who we are."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from typing import Any

from st2cli.command import Command, Session
from st2cli.errors import ApiError, CommandError


def _configure_auth(parser: ArgumentParser) -> None:
    _add_user(parser)
    parser.add_argument("-t", "--only-token", action="store_true", help="print nothing but the token")


def _add_user(parser: ArgumentParser) -> None:
    parser.add_argument("username", nargs="?", help="if it is not given, the one of ~/.st2/config")
    parser.add_argument("-p", "--password", help="asked for, or read from standard input, if it is not given")
    parser.add_argument("-l", "--ttl", type=int, metavar="SECONDS", help="how long the token is good")


def _auth(args: Namespace, session: Session) -> int:
    token = _token(args, session)
    if args.only_token:
        session.printer.value(token["token"])
    else:
        session.printer.properties(token, ("user", "token", "expiry") if session.printer.form == "text" else None)
    return 0


def _configure_login(parser: ArgumentParser) -> None:
    _add_user(parser)
    parser.add_argument(
        "-w", "--write-password", action="store_true", help="also keep the password, so that it is never asked for"
    )


def _login(args: Namespace, session: Session) -> int:
    from st2cli import config_file, token_cache
    from st2cli.times import short

    token = _token(args, session)
    settings = session.client.settings
    kept = {"username": token["user"], "password": args.password if args.write_password else None}
    config_file.remember(settings.config_path, "credentials", kept)
    if settings.token_directory:
        token_cache.write(settings.token_directory, token)
    session.printer.text(f'Logged in as "{token["user"]}" until {short(session.printer.time(token["expiry"]))}.')
    if not args.write_password:
        session.printer.note("The password is not kept: log in again when the token has expired, or use -w.")
    if settings.headers.keys() & {"X-Auth-Token", "St2-Api-Key"} and not settings.remembered:
        session.printer.note("A token or API key of the environment or the configuration is used before this login.")
    return 0


def _token(args: Namespace, session: Session) -> dict[str, Any]:
    args.username = args.username or session.client.settings.username
    if not args.username:
        raise CommandError("Who? Name the user: st2 login <user>")
    if args.password is None:
        args.password = _ask_for_password(args.username)
    return session.client.log_in(args.username, args.password, args.ttl)


def _ask_for_password(user: str) -> str:
    if sys.stdin.isatty():
        from getpass import getpass

        return getpass(f"Password of {user}: ")
    return sys.stdin.readline().removesuffix("\n")


def _configure_whoami(parser: ArgumentParser) -> None:
    """It takes no options of its own."""


def _whoami(args: Namespace, session: Session) -> int:
    try:
        user = session.client.get("/user")
    except ApiError as error:
        if error.status != 401:
            raise
        # Scripts know that this is no failure.
        session.printer.note(f"Nobody: {error.faultstring}")
        return 0
    if session.printer.form != "text":
        session.printer.data(user)
        return 0
    authentication, rbac = user["authentication"], user["rbac"]
    session.printer.text(f'Currently logged in as "{user["username"]}".')
    session.printer.text(f"Authentication method: {authentication['method']}")
    if "token_expire" in authentication:
        session.printer.text(f"Token good until: {session.printer.time(authentication['token_expire'])}")
    if rbac["enabled"]:
        session.printer.text(f"Roles: {', '.join(rbac['roles']) or 'none'}")
    return 0


VERBS = {
    "auth": Command(
        "get a token and show it",
        _configure_auth,
        _auth,
        examples=(
            "  export ST2_AUTH_TOKEN=$(st2 auth ada -t)    asks for the password\n"
            "  st2 auth ada -l 3600 -t < password-file     a token for an hour"
        ),
    ),
    "login": Command(
        "log in, and stay logged in",
        _configure_login,
        _login,
        description="Log in. ~/.st2/token-<user>, which only you can read, keeps the token; ~/.st2/config the name.",
        examples=(
            "  st2 login ada            asks for the password\n"
            "  st2 login ada -w         keeps the password as well: the token is renewed by itself"
        ),
    ),
    "whoami": Command(
        "who we are, and how the platform knows",
        _configure_whoami,
        _whoami,
        examples="  st2 whoami",
    ),
}
