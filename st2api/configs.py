"""The configurations of packs, and the schemas that say what may stand in them."""

from __future__ import annotations

import logging
from typing import Any

from flask import Blueprint, Response

from st2api.context import api
from st2common.content import pack_config
from st2common.errors import NotFound, ValidationError
from st2common.http import body
from st2common.http.authorization import checks_objects, needs, require, rights
from st2common.http.paging import Page
from st2common.http.responses import answer
from st2common.models import config_schemas, configs, packs
from st2common.models.connection import Document
from st2common.models.secrets import MASK, masked, object_schema
from st2common.rbac.resolution import pack_uid

LOG = logging.getLogger(__name__)

routes = Blueprint("configs", __name__)


@routes.get("/configs")
@needs("pack_list")
def list_configs() -> Response:
    page = Page.of_request()
    found, total = configs.find(page.limit, page.offset)
    visible = [config for config in found if rights().allows("pack_view", pack_uid(config["pack"]))]
    return page.answer([_shown(config) for config in visible], total)


@routes.get("/configs/<pack>")
@checks_objects
def get_config(pack: str) -> Response:
    found = configs.get(pack)
    if found is None:
        raise _unknown(pack)
    require("pack_view", pack_uid(pack))
    return answer(_shown(found))


@routes.put("/configs/<pack>")
@checks_objects
def set_config(pack: str) -> Response:
    """The body is the values themselves. They are written to the file of the configuration too."""
    if packs.get(pack) is None:
        raise _unknown(pack)
    require("pack_config", pack_uid(pack))
    values = body.parsed()
    if not isinstance(values, dict):
        raise ValidationError("An object with the values of the configuration is expected")
    earlier = configs.get(pack)
    values = _without_masks(values, earlier["values"] if earlier else {})
    if attributes := config_schemas.attributes_of(pack):
        pack_config.check_values(values, attributes)
    path = pack_config.config_file(api().config, pack)
    try:
        # The file first: what it says counts again at the next registration.
        pack_config.write(path, values)
    except OSError as error:
        raise ValidationError(f"{path} cannot be written: {error.strerror or error}") from error
    configs.save(pack, values)
    LOG.info("The configuration of pack %s was set by %s", pack, api().user)
    return get_config(pack)


@routes.get("/config_schemas")
@needs("pack_list")
def list_schemas() -> Response:
    page = Page.of_request()
    found, total = config_schemas.find(page.limit, page.offset)
    return page.answer(found, total)


@routes.get("/config_schemas/<pack>")
@checks_objects
def get_schema(pack: str) -> Response:
    found = config_schemas.get(pack)
    if found is None:
        raise _unknown(pack)
    require("pack_view", pack_uid(pack))
    return answer(found)


def _shown(config: Document) -> Document:
    if not api().masks_secrets():
        return config
    schema = object_schema(config_schemas.attributes_of(config["pack"]))
    return {**config, "values": masked(config["values"], schema)}


def _without_masks(value: Any, earlier: Any) -> Any:
    """Who sends back what was shown means the secrets that were hidden there."""
    if value == MASK and earlier is not None:
        return earlier
    if isinstance(value, dict) and isinstance(earlier, dict):
        return {name: _without_masks(item, earlier.get(name)) for name, item in value.items()}
    if isinstance(value, list) and isinstance(earlier, list) and len(value) == len(earlier):
        return [_without_masks(item, known) for item, known in zip(value, earlier, strict=True)]
    return value


def _unknown(pack: str) -> NotFound:
    return NotFound(f'Unable to identify resource with pack_ref "{pack}".')
