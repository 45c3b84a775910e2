#!/usr/bin/env bash
# Prints a line for each process found: id, parent, state, percent of a processor and of memory, command.
# Ends with 1 when there is none.
search=${1:-name}
criteria=$2

case $search in
    name) column=6 ;;
    state) column=3 ;;
    pid) column=1 ;;
    *) echo "The search is by state, name or pid." >&2; exit 2 ;;
esac
ps -eo pid,ppid,stat,pcpu,pmem,args | SEARCHED=$criteria awk -v column="$column" -v own="$$" -v exact="$search" '
    NR == 1 { print; next }
    $1 == own || $2 == own { next }
    {
        value = $column
        for (i = column + 1; column == 6 && i <= NF; i++) value = value " " $i
        if (exact == "pid" ? value == ENVIRON["SEARCHED"] : value ~ ENVIRON["SEARCHED"]) { print; found = 1 }
    }
    END { exit !found }'
