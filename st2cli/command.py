"""What a command of ``st2`` is made of."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from st2cli.client import Client
    from st2cli.output import Form, Printer


class Session:
    """What a command works with; made when it is needed, because ``--help`` should cost no import of it."""

    def __init__(self, connect: Callable[[Printer], Client], form: Form, attributes: Sequence[str]) -> None:
        self._connect = connect
        self._form = form
        self._attributes = attributes

    @cached_property
    def printer(self) -> Printer:
        from st2cli.output import Printer

        return Printer(self._form, self._attributes)

    @cached_property
    def client(self) -> Client:
        return self._connect(self.printer)

    def close(self) -> None:
        if "client" in self.__dict__:
            self.client.close()


class Command(NamedTuple):
    """One verb: how its command line looks, and what it does (giving the exit code)."""

    summary: str
    configure: Callable[[ArgumentParser], None]
    execute: Callable[[Namespace, Session], int]
    description: str = ""
    examples: str = ""
    #: Whether it takes free words as ``parameters``, the ones behind ``--`` included.
    takes_words: bool = False
    #: Whether ``--help`` is an option of its own that the command answers itself.
    own_help: bool = False
