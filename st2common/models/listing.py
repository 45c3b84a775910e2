"""The small collections (actions, packs, runner types): lists with conditions, order and pages, and whole documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bson import ObjectId
from bson.errors import InvalidId
from pymongo import ASCENDING
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError

from st2common.errors import ConflictError
from st2common.models.connection import Document


def by_name_or_id(name_field: str, name_or_id: str) -> Document:
    """The condition for an object that a client names by its own name or by its id."""
    try:
        return {"$or": [{name_field: name_or_id}, {"_id": ObjectId(name_or_id)}]}
    except InvalidId:
        return {name_field: name_or_id}


def equalities(filters: Mapping[str, str], fields: Mapping[str, str]) -> Document:
    """Conditions of the filters that ``fields`` knows ({filter: field}); a comma separates alternatives."""
    return {field: {"$in": filters[name].split(",")} for name, field in fields.items() if filters.get(name)}


def with_ids(conditions: Document, ids: str | None) -> Document:
    """``conditions`` narrowed to a comma list of ids; what is not an id matches nothing."""
    if not ids:
        return conditions
    return {**conditions, "_id": {"$in": [ObjectId(text) for text in ids.split(",") if ObjectId.is_valid(text)]}}


def page(
    collection: Collection[Document], conditions: Document, sort: Sequence[str], limit: int | None, offset: int
) -> tuple[list[Document], int]:
    """A page of the matches in ascending order of ``sort``, and how many there are in all.

    Sorted here: these collections hold at most some thousands of documents, and their order is by text.
    """
    matches: list[Document] = list(collection.find(conditions).sort([(field, ASCENDING) for field in sort]))
    end = None if limit is None else offset + limit
    return matches[offset:end], len(matches)


def collection_of(model: Any) -> Collection[Document]:
    """The collection of a mongoengine document class, for queries whose answers need not be its objects."""
    collection: Collection[Document] = model._get_collection()
    return collection


def store(document: Any) -> None:
    """Put a mongoengine document in the place of what has its id, as a whole: what it does not say is not kept.

    Raises:
        ConflictError: another document has its name.
    """
    document.validate()
    stored = document.to_mongo().to_dict()
    collection = collection_of(type(document))
    try:
        if document.id is None:
            collection.insert_one(stored)
        else:
            collection.replace_one({"_id": document.id}, stored, upsert=True)
    except DuplicateKeyError as error:
        raise ConflictError from error
