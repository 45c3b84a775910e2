#!/usr/bin/env bash
host=$1
hops=${2:-30}
queries=${3:-3}

if command -v traceroute > /dev/null; then
    exec traceroute -m "$hops" -q "$queries" -- "$host"
elif command -v tracepath > /dev/null; then
    exec tracepath -m "$hops" -- "$host"
fi
echo "There is neither traceroute nor tracepath on this host." >&2
exit 127
