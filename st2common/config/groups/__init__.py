"""The options, one module per topic. Each has ``GROUPS``: the name of a group and its options."""
