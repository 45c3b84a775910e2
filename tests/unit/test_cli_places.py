"""What is told to the server when the stream of a large workflow goes on."""

from __future__ import annotations

import re
from importlib import resources

from st2api import web
from st2cli.places import MAX_TOLD, Places
from st2common.http.query import MAX_LIST_VALUES


def test_no_more_is_told_than_the_server_takes() -> None:
    places = Places()
    ids = [f"{number:024x}" for number in range(3 * MAX_LIST_VALUES)]
    for execution_id in ids:
        assert places.adds({"id": f"{execution_id}:2"})
    # Part of a chunk is none of it; the latest are told.
    assert places.adds({"id": f"{ids[0]}:4.1"})
    told = places.since().split(",")
    assert MAX_TOLD == MAX_LIST_VALUES == len(told)
    assert told == [*(f"{execution_id}:2" for execution_id in ids[-MAX_LIST_VALUES + 1 :]), f"{ids[0]}:3"]
    assert not places.adds({"id": f"{ids[1]}:2"})


def test_the_page_tells_as_many() -> None:
    found = re.search(r"MAX_TOLD = (\d+);", (resources.files(web) / "steps.js").read_text())
    assert found
    assert int(found[1]) == MAX_LIST_VALUES
