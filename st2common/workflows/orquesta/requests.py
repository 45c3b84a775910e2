"""From a task whose turn has come to the children that are requested for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from st2common.errors import ValidationError
from st2common.models.statuses import COMPLETED, FAILED_STATUSES, Status
from st2common.workflows.decision import Request
from st2common.workflows.orquesta.spec import Items, Task
from st2common.workflows.orquesta.state import Run
from st2common.workflows.orquesta.work import RunScope, Work

#: Items of one task; their statuses are part of the state.
MAX_ITEMS = 100_000


def begin(work: Work, run: Run) -> None:
    """Request the children of ``run``, or the first of them.

    Raises:
        ValidationError: an expression fails, or does not give what is needed.
    """
    task = work.workflow.tasks[run.task]
    scope = RunScope(work, run.context, run)
    if run.delay is None:
        run.delay = seconds(work.evaluate(task.delay, scope), "delay")
    run.requested = work.now
    run.started = work.now if run.started is None else run.started
    if task.action is None:
        run.status = Status.SUCCEEDED
    elif task.items is None:
        work.requests.append(_request(work, task, run, scope, None))
        run.status = Status.RUNNING
    else:
        if run.items is None:
            _find_items(work, task.items, run, scope)
        run.status = Status.RUNNING
        continue_items(work, run)


def continue_items(work: Work, run: Run) -> None:
    """Request as many items as may run at once. After a failure no more are begun.

    Raises:
        ValidationError: an expression fails.
    """
    task = work.workflow.tasks[run.task]
    assert run.items is not None  # noqa: S101 - only tasks with items come here
    if any(status in FAILED_STATUSES for status in run.items):
        return
    free = len(run.items) if run.concurrency is None else run.concurrency - len(run.child_statuses())
    waiting = [number for number, status in enumerate(run.items) if status is None][: max(free, 0)]
    if not waiting:
        return
    scope = RunScope(work, run.context, run)
    parts = _items_of(work, task, run)
    for number in waiting:
        work.requests.append(_request(work, task, run, scope.with_item(parts[number]), number))
        run.items[number] = Status.RUNNING


def again(work: Work, run: Run) -> None:
    """The requests of the active children of ``run`` once more.

    Raises:
        ValidationError: an expression fails now.
    """
    task = work.workflow.tasks[run.task]
    scope = RunScope(work, run.context, run)
    if run.items is None:
        if run.child_statuses():
            work.requests.append(_request(work, task, run, scope, None))
        return
    active = [n for n, status in enumerate(run.items) if status is not None and status not in COMPLETED]
    if active:
        parts = _items_of(work, task, run)
        for number in active:
            work.requests.append(_request(work, task, run, scope.with_item(parts[number]), number))


def seconds(value: Any, what: str) -> float:
    """
    Raises:
        ValidationError: ``value`` is no number of seconds.
    """
    if value is None:
        return 0
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = -1
    if isinstance(value, bool) or not 0 <= number < 10**9:
        raise ValidationError(f'The {what} "{value}" is no number of seconds')
    return number


def whole_number(value: Any, what: str, least: int) -> int:
    """
    Raises:
        ValidationError: ``value`` is no whole number, or below ``least``.
    """
    text = str(value).strip()
    if isinstance(value, bool) or not text.isdecimal() or int(text) < least:
        raise ValidationError(f'The {what} "{value}" is no whole number of at least {least}')
    return int(text)


def _request(work: Work, task: Task, run: Run, scope: RunScope, item: int | None) -> Request:
    action = work.evaluate(task.action, scope)
    if not isinstance(action, str) or not action:
        raise ValidationError(f"The action is no reference of an action: {action!r}")
    given = work.evaluate(task.input, scope)
    if not isinstance(given, Mapping):
        raise ValidationError(f"The input is no object of parameters: {given!r}")
    about = {"task_name": task.name, "task_id": task.name, "task_route": run.route}
    if item is not None:
        about["item_id"] = item
    left = (run.delay or 0) - (work.now - (run.requested or work.now)) / 1e6
    return Request(
        key=run.child_key(item),
        task=task.name,
        route=run.route,
        action=action,
        input=dict(given),
        delay=max(left, 0),
        item=item,
        attempt=run.attempt,
        about=about,
    )


def _find_items(work: Work, items: Items, run: Run, scope: RunScope) -> None:
    found = work.evaluate(items.source, scope)
    if not isinstance(found, list):
        raise ValidationError(f"The items are no list: {str(found)[:100]!r}")
    if len(found) > MAX_ITEMS:
        raise ValidationError(f"There are {len(found)} items; more than {MAX_ITEMS} are not run")
    if len(items.names) > 1:
        for number, item in enumerate(found):
            if not isinstance(item, list) or len(item) != len(items.names):
                raise ValidationError(
                    f"Item {number} does not have {len(items.names)} parts ({', '.join(items.names)})"
                )
    run.concurrency = None
    if items.concurrency is not None:
        run.concurrency = whole_number(work.evaluate(items.concurrency, scope), "concurrency", 1)
    run.items = [None] * len(found)
    run.source = work.state.contexts.extend(None, {"items": found})


def _items_of(work: Work, task: Task, run: Run) -> list[Any]:
    """The items as expressions see them: with names, objects of their parts."""
    assert task.items is not None and run.source is not None  # noqa: S101, PT018 - it has items, and they were found
    found = work.state.contexts.read(run.source)["items"]
    names = task.items.names
    if not names:
        return list(found)
    if len(names) == 1:
        return [{names[0]: item} for item in found]
    return [dict(zip(names, item, strict=True)) for item in found]
