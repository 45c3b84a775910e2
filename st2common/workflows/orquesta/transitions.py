"""From a task that has ended to those that follow: retries, what is published, where it goes, joins."""

from __future__ import annotations

from st2common.errors import ValidationError
from st2common.models.statuses import FAILED_STATUSES, Status
from st2common.workflows.orquesta.requests import seconds, whole_number
from st2common.workflows.orquesta.spec import COMMANDS, Transition
from st2common.workflows.orquesta.state import Join, Run
from st2common.workflows.orquesta.work import RunScope, Work

#: Tries after the first one that ``do: retry`` gives.
_RETRIES = 3
#: Runs that are remembered: those that are active and the last of each task and route.
MAX_RUNS = 20_000


def follow(work: Work, run: Run, status: Status) -> None:
    """``run`` has ended with ``status``: retry it, or go on to what follows."""
    run.status, run.ended = status, work.now
    if status == Status.CANCELED:
        work.state.verdict = work.state.verdict or Status.CANCELED
        end_branch(work, run.context)
        return
    try:
        if work.state.verdict is None and _retried(work, run):
            return
        held = _held(work, run)
    except ValidationError as error:
        work.fail(str(error), run)
        end_branch(work, run.context)
        return
    commands = {name for _, transition, _ in held for name in transition.do}
    if "retry" in commands and work.state.verdict is None and run.attempt - run.first_attempt < _RETRIES:
        retry(run, 0)
        return
    _go_on(work, run, held)
    remedied = commands - {"continue", "fail", "retry"}
    if status in FAILED_STATUSES and ("fail" in commands or not remedied):
        work.fail("Execution failed. See result for details.", run, child=_failed_child(run))
    elif "fail" in commands:
        work.fail(f'The workflow was told to fail after the task "{run.task}".', run)


def retry(run: Run, delay: float) -> None:
    """Try once more, after ``delay`` seconds."""
    run.attempt += 1
    run.status = run.ended = run.items = run.source = None
    run.earlier = {}
    run.delay = delay


def enter(work: Work, name: str, route: int, context: int, despite: bool = False) -> None:
    """Add a run of a task; it is requested when its turn comes."""
    state = work.state
    if len(state.runs) >= MAX_RUNS:
        work.fail(f"The workflow has more than {MAX_RUNS} tasks on their way")
        return
    place = f"{name}/{route}"
    visit = state.visits.get(place, 0)
    earlier = state.runs.get(f"{place}/{visit - 1}")
    if earlier is not None and earlier.has_ended:
        del state.runs[earlier.key]
    state.visits[place] = visit + 1
    run = Run(task=name, route=route, visit=visit, context=context, despite=despite)
    state.runs[run.key] = run


def end_branch(work: Work, context: int) -> None:
    """Nothing follows: what the branch published is seen by the output."""
    state = work.state
    state.final = context if state.final is None else state.contexts.merge((state.final, context))


def unmet_joins(work: Work) -> list[str]:
    """Why the tasks that wait for others will wait for ever, once nothing is active."""
    reasons: list[str] = []
    for place, join in work.state.joins.items():
        arrived = join.contexts.get(str(join.rounds + 1), {})
        if arrived:
            task = place.split("/")[0]
            missing = [name for name in work.workflow.graph.sources[task] if name not in arrived]
            reasons.append(
                f'The join of the task "{task}" cannot be met any more: {", ".join(arrived)} arrived, '
                f"{', '.join(missing)} did not"
            )
    return reasons


def forget_arrivals(work: Work, repeated: set[str]) -> None:
    """The tasks ``repeated`` run again: joins wait for them again, and keep what others brought."""
    for place, join in work.state.joins.items():
        again = repeated & set(work.workflow.graph.sources[place.split("/")[0]])
        last = max((join.arrivals.get(source, 0) for source in again), default=0)
        if last == 0 or last < join.rounds:
            continue
        # Their last arrivals were for the last complete round, or for the one after it.
        join.rounds = last - 1
        for source in again:
            join.contexts.get(str(last), {}).pop(source, None)
            join.arrivals[source] = min(join.arrivals.get(source, 0), last - 1)


def _retried(work: Work, run: Run) -> bool:
    rule = work.workflow.tasks[run.task].retry
    if rule is None:
        return False
    scope = RunScope(work, run.context, run)
    wanted = run.status in FAILED_STATUSES if rule.when is None else bool(work.evaluate(rule.when, scope))
    if not wanted or run.attempt - run.first_attempt >= whole_number(work.evaluate(rule.count, scope), "count", 0):
        return False
    retry(run, seconds(work.evaluate(rule.delay, scope), "delay"))
    return True


def _held(work: Work, run: Run) -> list[tuple[int, Transition, int]]:
    """The transitions whose condition holds, each with its number and the context that it publishes."""
    held = []
    scope = RunScope(work, run.context, run)
    for number, transition in enumerate(work.workflow.tasks[run.task].next):
        try:
            if transition.when is not None and not work.evaluate(transition.when, scope):
                continue
            published = work.assign(transition.publish, scope)
        except ValidationError as error:
            work.fail(str(error), run, number)
            continue
        held.append((number, transition, work.state.contexts.extend(run.context, published)))
    return held


def _go_on(work: Work, run: Run, held: list[tuple[int, Transition, int]]) -> None:
    failing = work.state.verdict is not None
    arriving: dict[str, list[int]] = {}
    ended = not held
    for number, transition, context in held:
        names = [] if failing else [name for name in transition.do if name not in COMMANDS]
        if not names:
            end_branch(work, context)
        for name in names:
            if work.workflow.tasks[name].join is not None:
                arriving.setdefault(name, []).append(context)
            else:
                route = _route(work, name, run, number)
                enter(work, name, route, context, despite="fail" in transition.do)
    for name, contexts in arriving.items():
        _arrive(work, name, run, work.state.contexts.merge(contexts))
    if ended:
        end_branch(work, run.context)


def _route(work: Work, name: str, run: Run, transition: int) -> int:
    """Where several branches lead to a task that waits for none, each goes on in a route of its own."""
    if name not in work.workflow.graph.splits:
        return run.route
    branch = (run.route, f"{run.task}__t{transition}")
    routes = work.state.routes
    if branch not in routes:
        routes.append(branch)
    return routes.index(branch) + 1


def _arrive(work: Work, name: str, run: Run, context: int) -> None:
    join = work.state.joins.setdefault(f"{name}/{run.route}", Join())
    join.arrivals[run.task] = round_ = join.arrivals.get(run.task, 0) + 1
    if round_ <= join.rounds:
        # The others were enough.
        end_branch(work, context)
        return
    join.contexts.setdefault(str(round_), {})[run.task] = context
    wanted = work.workflow.tasks[name].join
    needed = wanted if isinstance(wanted, int) else len(work.workflow.graph.sources[name])
    while len(arrived := join.contexts.get(str(join.rounds + 1), {})) >= needed:
        join.contexts.pop(str(join.rounds), None)
        join.rounds += 1
        enter(work, name, run.route, work.state.contexts.merge(arrived.values()))


def _failed_child(run: Run) -> str | None:
    if run.items is None:
        return run.child_key()
    return next((run.child_key(n) for n, status in enumerate(run.items) if status in FAILED_STATUSES), None)
