#!/usr/bin/env bash
# Formats log directories and tells about them, with the commands and flags of Apache Kafka's script of this name.
#   kafka-storage.sh random-uuid
#   kafka-storage.sh format --config server.properties --cluster-id ID [--standalone] [--ignore-formatted] ...
#   kafka-storage.sh info --config server.properties
set -euo pipefail
# shellcheck source=scripts/corelog-env.sh
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/corelog-env.sh"
bin=$(corelog_bin)
exec "$bin" storage "$@"
