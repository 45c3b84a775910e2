"""Webhooks: triggers whose events are HTTP requests, and the secrets that such requests can be signed with.

A request is signed as Standard Webhooks says (https://www.standardwebhooks.com): over its id, its time and its body,
with HMAC-SHA256. The secret of a webhook is the encrypted key ``webhook_secret:<url>`` of the datastore.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import logging
import re
import time

from pymongo.database import Database
from werkzeug.datastructures import Headers

from st2common.datastore.crypto import DecryptionError, KeyFile
from st2common.errors import NotFound, ValidationError
from st2common.models import triggers
from st2common.models.connection import Document
from st2common.models.keys import SYSTEM_SCOPE, Keys
from st2common.models.trigger_types import WEBHOOK

LOG = logging.getLogger(__name__)

#: In the datastore, before the url.
SECRET_KEY = "webhook_secret:"  # noqa: S105 - a name, not a secret

ID_HEADER, TIME_HEADER, SIGNATURE_HEADER = "Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"

# Seconds that a request may be old, or its sender's clock be ahead.
TOLERANCE = 300
_VERSION = "v1"
# A secret with this prefix is base64, any other is taken as it is.
_ENCODED = "whsec_"
_MAX_ID = 256


def normalized(url: str) -> str:
    return url.strip("/")


def find_webhook(url: str) -> Document:
    """The trigger of a webhook, with or without slashes around its url.

    Raises:
        NotFound: no rule waits for such requests.
    """
    bare = normalized(url)
    for spelling in (bare, f"/{bare}", f"{bare}/", f"/{bare}/"):
        if found := triggers.recent_of_type(WEBHOOK, {"url": spelling}):
            return found
    raise NotFound(f"Webhook {url} not registered with st2")


def secret_of(database: Database[Document], key_file: KeyFile, url: str) -> bytes | None:
    """The secret of a webhook; None where it has none."""
    name = SECRET_KEY + normalized(url)
    stored = Keys(database).get(SYSTEM_SCOPE, name)
    if stored is None:
        return None
    if not stored.get("secret"):
        LOG.error("The key %s is not encrypted, and so no secret: set it again with --encrypt", name)
        return None
    try:
        text = key_file.key().decrypt(stored["value"])
        return base64.b64decode(text.removeprefix(_ENCODED)) if text.startswith(_ENCODED) else text.encode()
    except (DecryptionError, ValidationError, binascii.Error) as error:
        LOG.error("The secret of webhook %s cannot be used: %s", url, error)
        return None


def signature(secret: bytes, request_id: str, timestamp: str, body: bytes) -> str:
    """What the header :data:`SIGNATURE_HEADER` has to say, or to have among several."""
    signed = hmac.new(secret, f"{request_id}.{timestamp}.".encode() + body, hashlib.sha256)
    return f"{_VERSION},{base64.b64encode(signed.digest()).decode()}"


def objection(secret: bytes, headers: Headers, body: bytes) -> str | None:
    """Why a signed request is not to be trusted; None when it is."""
    request_id, timestamp = headers.get(ID_HEADER, ""), headers.get(TIME_HEADER, "")
    if not 0 < len(request_id) <= _MAX_ID or re.fullmatch("[0-9]{1,15}", timestamp) is None:
        return f"a signed request needs {ID_HEADER} and {TIME_HEADER} (seconds since 1970)"
    expected = signature(secret, request_id, timestamp, body).encode()
    # Each takes as long: no time tells anything about the secret.
    given = headers.get(SIGNATURE_HEADER, "").encode().split()
    if not any(hmac.compare_digest(each, expected) for each in given):
        return "the signature is wrong"
    if abs(time.time() - int(timestamp)) > TOLERANCE:
        return f"it was signed more than {TOLERANCE} s before or after now"
    return None
