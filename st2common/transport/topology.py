"""Names of exchanges and queues. Exchanges are durable topics; work queues are durable quorum queues."""

from __future__ import annotations

from st2common.transport.port import WorkQueue

#: Keys ``create.<status>`` and ``update.<status>``, with ``.notify`` behind where somebody is to be told of the end;
#: body {v, execution, earlier}: the execution document as the API shows it.
EXECUTION = "st2.execution"
#: Key: the execution's id; body: see :mod:`st2common.output.doorbell`.
EXECUTION_OUTPUT = "st2.execution.output"
#: Key: the route; body {v, payload, trace_context}.
ANNOUNCEMENT = "st2.announcement"
#: Keys create, update, delete; body {v, alias}.
ACTIONALIAS = "st2.actionalias"
#: Keys create, update, delete; body {v, trigger}: the trigger as the API shows it.
TRIGGER = "st2.trigger"
#: Key: the runner's id; body {v, execution_id}: somebody wants this execution to end.
CANCEL = "st2.actionrunner.cancel"
#: Key: the runner's id; body {v, execution_id}: this execution has registered secrets, which are to be masked.
SECRETS = "st2.actionrunner.secrets"

#: Body {v, execution_id}: an execution waits for a runner.
EXECUTIONS_TO_RUN = WorkQueue("st2.actionrunner.work", "st2.actionrunner", "work")
#: Body {v, execution_id}: this workflow execution is to begin, or something has happened that it may wait for.
WORKFLOWS_TO_ADVANCE = WorkQueue("st2.workflow.work", "st2.workflow", "work")
#: Body {v, trigger_instance_id}: an event waits for the rules.
TRIGGER_INSTANCES = WorkQueue(
    "st2.trigger_instances_dispatch.rules_engine", "st2.trigger_instances_dispatch", "trigger_instance"
)
