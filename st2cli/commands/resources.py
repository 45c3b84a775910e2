"""The verbs that all content of packs has alike: list, get, create, update, enable, disable and delete."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import Any, NamedTuple

from st2cli import files
from st2cli.command import Command, Session
from st2cli.errors import ApiError, CommandError, UsageError
from st2cli.paths import segment


class Resource(NamedTuple):
    """One kind of content."""

    #: Of the API.
    path: str
    singular: str
    plural: str
    listed: tuple[str, ...]
    shown: tuple[str, ...]
    #: What a list can be narrowed by: {query parameter: help}.
    filters: Mapping[str, str]
    #: The first word of the commands, and one that a user could name: for their examples.
    word: str
    sample: str

    def reading(self) -> dict[str, Command]:
        return {
            "list": Command(
                f"the registered {self.plural}",
                self._configure_list,
                self._list,
                examples=f"  st2 {self.word} list",
            ),
            "get": Command(
                f"one {self.singular}",
                self._configure_refs,
                self._get,
                examples=f"  st2 {self.word} get {self.sample}",
            ),
        }

    def changing(self) -> dict[str, Command]:
        return {
            "create": Command(
                f"make one {self.singular} from a file",
                self._configure_create,
                self._create,
                examples=f"  st2 {self.word} create {self.word}.yaml",
            ),
            "update": Command(
                f"put a file's content in the place of one {self.singular}",
                self._configure_update,
                self._update,
                examples=f"  st2 {self.word} update {self.sample} {self.word}.yaml",
            ),
            "enable": Command(
                f"switch {self.plural} on",
                self._configure_refs,
                self._enable,
                examples=f"  st2 {self.word} enable {self.sample}",
            ),
            "disable": Command(
                f"switch {self.plural} off",
                self._configure_refs,
                self._disable,
                examples=f"  st2 {self.word} disable {self.sample}",
            ),
            "delete": Command(
                f"forget {self.plural}",
                self._configure_refs,
                self._delete,
                examples=f"  st2 {self.word} delete {self.sample}",
            ),
        }

    def show(self, session: Session, found: Mapping[str, Any]) -> None:
        session.printer.properties(found, self.shown if session.printer.form == "text" else None)

    def _configure_list(self, parser: ArgumentParser) -> None:
        for name, text in self.filters.items():
            short = ("-p",) if name == "pack" else ()
            parser.add_argument(*short, f"--{name.replace('_', '-')}", dest=name, help=text)

    def _list(self, args: Namespace, session: Session) -> int:
        found = session.client.all(self.path, {name: getattr(args, name) for name in self.filters})
        session.printer.table(found, self.listed, f"No {self.plural} are registered.")
        return 0

    def _get(self, args: Namespace, session: Session) -> int:
        for ref in args.refs:
            self.show(session, self._find(session, ref))
        return 0

    def _configure_create(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="JSON or YAML file with the metadata")

    def _create(self, args: Namespace, session: Session) -> int:
        try:
            created = session.client.post(self.path, files.load(args.file))
        except ApiError as error:
            # Scripts know this exit code of "create".
            raise UsageError(str(error)) from error
        self.show(session, created)
        return 0

    def _configure_update(self, parser: ArgumentParser) -> None:
        parser.add_argument("ref", help="<pack>.<name>, or the id")
        self._configure_create(parser)

    def _update(self, args: Namespace, session: Session) -> int:
        known = self._find(session, args.ref)
        metadata = {"pack": known["pack"], **files.load(args.file)}
        self.show(session, session.client.put(self._path_of(known["id"]), metadata))
        return 0

    def _configure_refs(self, parser: ArgumentParser) -> None:
        parser.add_argument("refs", nargs="+", metavar="ref", help="<pack>.<name>, or the id")

    def _enable(self, args: Namespace, session: Session) -> int:
        return self._switch(args, session, enabled=True)

    def _disable(self, args: Namespace, session: Session) -> int:
        return self._switch(args, session, enabled=False)

    def _switch(self, args: Namespace, session: Session, *, enabled: bool) -> int:
        for ref in args.refs:
            known = self._find(session, ref)
            self.show(session, session.client.put(self._path_of(known["id"]), {**known, "enabled": enabled}))
        return 0

    def _delete(self, args: Namespace, session: Session) -> int:
        for ref in args.refs:
            try:
                known = self._find(session, ref)
            except CommandError as error:
                # Scripts know this exit code of "delete".
                raise UsageError(str(error)) from error
            session.client.delete(self._path_of(known["id"]))
            session.printer.text(f'{self.singular.capitalize()} "{known["ref"]}" is deleted.')
        return 0

    def _find(self, session: Session, ref: str) -> dict[str, Any]:
        found: dict[str, Any] | None = session.client.find(self._path_of(ref))
        if found is None:
            raise CommandError(f'{self.singular.capitalize()} "{ref}" is not found.')
        return found

    def _path_of(self, ref_or_id: str) -> str:
        return f"{self.path}/{segment(ref_or_id)}"
