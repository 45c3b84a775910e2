"""Workflows: what their languages mean, as pure state machines.

``orquesta`` and ``action-chain`` are languages of their own with one interface, :class:`decision.Conductor`. The
engine that runs what a conductor decides is elsewhere; nothing here does I/O.
"""
