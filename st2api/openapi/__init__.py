"""``/openapi.json``: the API described by itself, for programs that make clients, forms and tests of it.

What there is comes from the application's routes, what may be sent from the very schemas that bodies are checked with.
"""
