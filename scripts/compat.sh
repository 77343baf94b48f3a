#!/usr/bin/env bash
# The long compatibility matrices: first on Apache Kafka, then on corelog; writes docs/COMPATIBILITY.md from both.
#   scripts/compat.sh                    every suite on both brokers (about an hour on 2 cores)
#   scripts/compat.sh run SUITE...       only these, on both: old-clients connect mirror-maker schema-registry streams
#                                        kafka-python librdkafka rskafka jvm share debezium
#   scripts/compat.sh table              only writes the page, from the results that there are
# BROKERS="corelog" asks only that one. What is fetched and built stays in target/test-tools.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
exec </dev/null
export LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1
target=$(realpath -m "${CARGO_TARGET_DIR:-target}"); export CARGO_TARGET_DIR=$target
tools=$target/test-tools results=$target/compat-results; mkdir -p "$results"
[ -x "$tools/venv/bin/python" ] && [ -d "$tools/kafka" ] || { echo "scripts/test.sh clients, once: it fetches what this needs"; exit 1; }
all="jvm old-clients connect mirror-maker schema-registry streams kafka-python librdkafka rskafka share debezium"

fetch() { # the matrices' own programs, each once
  tests/old_clients/install.sh "$tools" || return
  cmp -s tests/compat/pom.xml "$tools/compat-java/pom.xml" || {
    rm -rf "$tools/compat-java"
    mvn -q -B -f tests/compat/pom.xml dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$tools/compat-java" || return
    cp tests/compat/pom.xml "$tools/compat-java/pom.xml"
  }
  tests/compat/install.sh "$tools" "$@"
}
suite() { # SUITE: pytest of one file, its outcomes kept beside the other broker's
  local file; case $1 in
  old-clients) file=scenarios/test_old_clients.py ;;
  *) file=compat/test_${1//-/_}.py ;;
  esac
  (cd tests && "$tools/venv/bin/python" -m pytest "$file" --timeout 3000 --basetemp "$target/compat-tmp" --junitxml "$results/$BROKER-$1.xml")
}
table() { python3 tests/compat/table.py "$results" docs/COMPATIBILITY.md; }

case ${1:-all} in
table) table; exit ;;
run) shift; suites=$* ;;
all) suites=$all ;;
*) sed -n 2,7p "$0"; exit 1 ;;
esac
# shellcheck disable=SC2086
fetch $suites || exit 1
failed=0
for BROKER in ${BROKERS:-apache-kafka corelog}; do
  export BROKER
  for one in $suites; do suite "$one" || failed=1; done
done
table && exit $failed
