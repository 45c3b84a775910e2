#!/usr/bin/env bash
# systemd where it runs, else the scripts of /etc/init.d.
act=$1
service=$2

if [ -d /run/systemd/system ]; then
    exec systemctl "$act" -- "$service"
elif command -v service > /dev/null; then
    exec service "$service" "$act"
fi
echo "There is neither systemd nor a service command on this host." >&2
exit 127
