"""The keeper: a small process that owns the children of one runner, and outlives it.

It spawns children, moves what they print from their pipes into spool files, collects their exit statuses, and ends them
on request or when their time is over. The runner talks to it over a Unix socket (see ``server``) and may be killed,
restarted or upgraded meanwhile. Nothing heavy is imported here: the process should stay below 15 MB.
"""
