"""Who may do what: roles that hold permissions, and users that have roles. ``docs/rbac.md`` is the concept."""
