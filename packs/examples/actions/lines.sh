#!/usr/bin/env bash
# Odd lines go to standard error, even ones to standard output.
count=${1:-10}
delay=${2:-0}

for ((line = 1; line <= count; line++)); do
    sleep "$delay"
    if ((line % 2)); then
        echo "stderr -> Line: $line" >&2
    else
        echo "stdout -> Line: $line"
    fi
done
