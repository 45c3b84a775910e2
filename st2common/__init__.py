"""The shared kernel: configuration, models, transport, the output log, the verbs of the domain. Imports no daemon."""

__version__ = "0.1.0"

# The StackStorm release whose API and pack format this implements. Clients read it from the API's root; packs compare
# it with their ``stackstorm_version``.
STACKSTORM_VERSION = "3.9.0"
