#!/usr/bin/env bash
# Sends the same random requests to a fresh Apache Kafka and a fresh corelog and compares the answers, field by field.
#   scripts/differential.sh [SEQUENCES [SEED]]    1,000 sequences, a random seed; fails on a difference without a reason
#   scripts/differential.sh record                records Apache Kafka's answers anew, for the short form in the scenarios
# JOBS (2) broker pairs share the sequences; CORELOG_BIN is the broker to ask (the release build).
# Differences on purpose stand with their reasons in tests/differential/differences.py. A failure names its sequence,
# SEED/NUMBER: `python -m differential compare 1 SEED NUMBER` in tests/ repeats it.
set -euo pipefail
cd "$(dirname "$0")/.."
target=$(realpath -m "${CARGO_TARGET_DIR:-target}"); export CARGO_TARGET_DIR=$target PYTHONDONTWRITEBYTECODE=1
python=$target/test-tools/venv/bin/python
[ -x "$python" ] && [ -d "$target/test-tools/kafka" ] || { echo "scripts/test.sh clients, once: it fetches what this needs"; exit 1; }
cd tests
case ${1:-1000} in
record) exec "$python" -m differential record 130 ;;
*) exec "$python" -m differential compare "${1:-1000}" "${2:-$((RANDOM * 32768 + RANDOM))}" ;;
esac
