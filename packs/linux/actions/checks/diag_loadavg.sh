#!/usr/bin/env bash
# Prints the load averages, and if the first one for each processor is above the threshold: what they come from.
threshold=${1:-0}

read -r one five fifteen _ < /proc/loadavg
cpus=$(nproc)
echo "Load: $one $five $fifteen on $cpus processors"
if ! awk -v load="$one" -v cpus="$cpus" -v limit="$threshold" 'BEGIN { exit !(load / cpus > limit) }'; then
    echo "That is not above $threshold for each processor."
    exit 0
fi
echo
echo "Busiest processes:"
ps -eo pid,user,pcpu,pmem,stat,etime,args --sort=-pcpu | cut -c 1-160 | head -n 11
echo
echo "Processes that wait for a disk:"
ps -eo pid,user,stat,wchan:24,args | awk 'NR == 1 || $3 ~ /^D/' | cut -c 1-160
echo
free -m
