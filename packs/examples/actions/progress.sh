#!/usr/bin/env bash
# The line ends only when all is done: until then a carriage return goes back to its beginning.
steps=${1:-20}
delay=${2:-0}

bar=""
for ((step = 1; step <= steps; step++)); do
    sleep "$delay"
    bar+="#"
    printf '\r[%-*s] %3d%%' "$steps" "$bar" $((100 * step / steps))
done
printf '\n'
