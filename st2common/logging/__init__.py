"""What logging files of the StackStorm family name: see :mod:`st2common.logging.formatters`."""
