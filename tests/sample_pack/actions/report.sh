#!/usr/bin/env bash
echo "report of $ST2_ACTION_PACK_NAME: $*"
