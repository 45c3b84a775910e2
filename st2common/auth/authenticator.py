"""From a credential to who it belongs to."""

from __future__ import annotations

from pymongo.database import Database

from st2common.auth.action_tokens import ActionTokens
from st2common.auth.api_keys import ApiKeys
from st2common.auth.identity import Identity, Kind
from st2common.auth.tokens import Tokens
from st2common.models.connection import Document
from st2common.models.executions import Executions

# Characters. Nothing longer is a credential of ours; what is shorter is looked up.
_LONGEST = 1024


class Authenticator:
    def __init__(self, database: Database[Document]) -> None:
        self._tokens = Tokens(database)
        self._action_tokens = ActionTokens(Executions(database))
        self._api_keys = ApiKeys(database)

    def identity(self, kind: Kind, secret: str) -> Identity | None:
        """Who shows this credential; None where it is unknown, expired, revoked or disabled."""
        if len(secret) > _LONGEST:
            return None
        if kind is Kind.API_KEY:
            return self._api_keys.identity(secret)
        return self._action_tokens.identity(secret) or self._tokens.identity(secret)


def ensure_indexes(database: Database[Document]) -> None:
    Tokens(database).ensure_indexes()
    ApiKeys(database).ensure_indexes()
