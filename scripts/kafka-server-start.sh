#!/usr/bin/env bash
# Starts corelog, with the flags of Apache Kafka's script of this name.
#   kafka-server-start.sh [-daemon] [-name NAME] [-loggc] server.properties [--override property=value]...
# -daemon writes to $LOG_DIR/server.log (LOG_DIR: logs/ beside scripts/). What is meant for a JVM is ignored.
set -euo pipefail
# shellcheck source=scripts/corelog-env.sh
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/corelog-env.sh"

usage() {
  echo "USAGE: $0 [-daemon] [-name NAME] [-loggc] server.properties [--override property=value]*" >&2
  exit 1
}

[ $# -ge 1 ] || usage
daemon='' ignored=()
while [ $# -gt 0 ]; do
  case $1 in
    -daemon) daemon=yes; shift ;;
    -loggc) ignored+=("$1"); shift ;;
    -name) [ $# -ge 2 ] || usage; ignored+=("$1"); shift 2 ;;
    *) break ;;
  esac
done
for name in KAFKA_HEAP_OPTS KAFKA_JVM_PERFORMANCE_OPTS KAFKA_GC_LOG_OPTS KAFKA_LOG4J_OPTS KAFKA_JMX_OPTS JMX_PORT \
  KAFKA_OPTS KAFKA_DEBUG EXTRA_ARGS; do
  [ -z "${!name:-}" ] || ignored+=("$name")
done
[ ${#ignored[@]} -eq 0 ] || echo "ignored, as there is no JVM: ${ignored[*]}" >&2

bin=$(corelog_bin)
if [ -z "$daemon" ]; then
  exec "$bin" "$@"
fi
log_dir=${LOG_DIR:-$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")/logs}
mkdir -p "$log_dir"
setsid nohup "$bin" "$@" >>"$log_dir/server.log" 2>&1 </dev/null &
