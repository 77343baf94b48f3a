#!/usr/bin/env bash
# Tells which versions of each API the brokers serve, with the flags and the output of Apache Kafka's script of this name.
set -euo pipefail
# shellcheck source=scripts/corelog-env.sh
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/corelog-env.sh"
bin=$(corelog_bin)
exec "$bin" broker-api-versions "$@"
