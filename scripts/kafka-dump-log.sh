#!/usr/bin/env bash
# Prints segments, indexes and snapshots, with the flags of Apache Kafka's script of this name.
#   kafka-dump-log.sh --files 00000000000000000000.log,00000000000000000000.index --print-data-log
set -euo pipefail
# shellcheck source=scripts/corelog-env.sh
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/corelog-env.sh"
bin=$(corelog_bin)
exec "$bin" dump-log "$@"
