"""``st2kv.system.a.b`` names one key, ``a.b``: in the syntax tree of a template the parts of its name are joined.

What the datastore is asked for is a text then, so that every filter, operator and method works on it.
"""

from __future__ import annotations

from jinja2 import nodes
from jinja2.visitor import NodeTransformer

_DATASTORE = "st2kv"


def join_key_names(tree: nodes.Template) -> nodes.Template:
    """``tree`` with ``st2kv.system.a.b`` changed to ``st2kv.system["a.b"]``."""
    _Joiner().visit(tree)
    environment = tree.environment
    assert environment is not None  # noqa: S101 - the parser sets it
    return tree.set_environment(environment)  # type: ignore[return-value]


class _Joiner(NodeTransformer):
    def visit_Getattr(self, node: nodes.Getattr) -> nodes.Node:  # noqa: N802 - named by jinja
        return self._joined(node)

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:  # noqa: N802 - named by jinja
        return self._joined(node)

    def visit_Call(self, node: nodes.Call) -> nodes.Node:  # noqa: N802 - named by jinja
        """The last name of what is called is a method of the value: ``st2kv.system.a.split(',')``."""
        method = node.node
        if isinstance(method, nodes.Getattr):
            method.node = self.visit(method.node)
            # A leaf stands in for it while the arguments are visited.
            node.node = nodes.Name(method.attr, "load", lineno=node.lineno)
            self.generic_visit(node)
            node.node = method
            return node
        return self.generic_visit(node)

    def _joined(self, node: nodes.Getattr | nodes.Getitem) -> nodes.Node:
        scope, names = _scope_and_names(node)
        if scope is None or not names:
            return self.generic_visit(node)
        key = nodes.Const(".".join(names), lineno=node.lineno)
        return nodes.Getitem(scope, key, "load", lineno=node.lineno)


def _scope_and_names(node: nodes.Node) -> tuple[nodes.Getattr | None, list[str]]:
    """(the node of ``st2kv.system``, ``["a", "b"]``) of ``st2kv.system.a.b``; None for everything else."""
    names: list[str] = []
    while isinstance(node, nodes.Getattr | nodes.Getitem):
        if isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name) and node.node.name == _DATASTORE:
            return node, names[::-1]
        if isinstance(node, nodes.Getattr):
            names.append(node.attr)
        elif isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
            names.append(node.arg.value)
        else:
            return None, []
        node = node.node
    return None, []
