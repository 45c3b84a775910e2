#!/usr/bin/env bash
# Prints JSON: {"hostname", "cpus", "1", "5", "15"}, or only the one load average that is asked for.
period=${1:-all}

read -r one five fifteen _ < /proc/loadavg
cpus=$(nproc)
case $period in
    all) printf '{"hostname": "%s", "cpus": %d, "1": %s, "5": %s, "15": %s}\n' \
        "$(hostname)" "$cpus" "$one" "$five" "$fifteen" ;;
    1) echo "$one" ;;
    5) echo "$five" ;;
    15) echo "$fifteen" ;;
    *) echo "The period is 1, 5, 15 or all." >&2; exit 2 ;;
esac
