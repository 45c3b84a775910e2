"""The workflow engine: executions that start others, and go on as these end. See ``docs/workflows.md``."""
