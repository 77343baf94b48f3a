#!/usr/bin/env bash
# Moves replicas of partitions, with the flags and the output of Apache Kafka's script of this name.
set -euo pipefail
# shellcheck source=scripts/corelog-env.sh
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/corelog-env.sh"
bin=$(corelog_bin)
exec "$bin" reassign-partitions "$@"
