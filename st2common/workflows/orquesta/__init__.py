"""The Orquesta language: graphs of tasks with conditions, branches, joins and items."""
