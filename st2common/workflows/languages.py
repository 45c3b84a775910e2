"""The languages of workflows, by the runner types that run them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from st2common.workflows.chain import spec as chain
from st2common.workflows.chain.conductor import ChainConductor
from st2common.workflows.decision import Conductor, Lookups
from st2common.workflows.orquesta import parse as orquesta
from st2common.workflows.orquesta.conductor import OrquestaConductor
from st2common.workflows.orquesta.spec import Workflow
from st2common.workflows.problems import InvalidWorkflow

Spec = Workflow | chain.Chain

#: Of each runner type whose actions are workflows, what reads a definition: the workflow, or what is wrong.
LANGUAGES = {
    "orquesta": orquesta.parse,
    "orchestra": orquesta.parse,
    "action-chain": chain.parse,
}


def parse(runner_type: str, definition: Any) -> Spec:
    """What a definition means. It may be kept: nothing changes it.

    Raises:
        InvalidWorkflow: with everything that is wrong with it.
    """
    workflow, problems = LANGUAGES[runner_type](definition)
    if workflow is None:
        raise InvalidWorkflow(problems)
    return workflow


def conduct(spec: Spec, lookups: Lookups, state: Mapping[str, Any] | None = None) -> Conductor:
    """The conductor of an execution; ``state`` is what an earlier one remembered."""
    if isinstance(spec, chain.Chain):
        return ChainConductor(spec, lookups, state)
    return OrquestaConductor(spec, lookups, state)
