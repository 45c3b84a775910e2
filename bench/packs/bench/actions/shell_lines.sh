#!/usr/bin/env bash
count=$1
gate=$2

if [[ $gate ]]; then
    echo ready
    read -r _ <"$gate"
fi
printf -v rest '%71s' ''
# In blocks, as most programs write to a pipe: the loop of a shell would be slower than what is measured here.
seq -f "%07.0f ${rest// /x}" 1 "$count"
