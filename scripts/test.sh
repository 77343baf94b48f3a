#!/usr/bin/env bash
# Installs what the tests need, builds, and runs all tests. The last line is `N passed, N failed`.
#   scripts/test.sh                        everything
#   scripts/test.sh clients [ARGS...]      only the scenarios with real clients; ARGS go to pytest (tests/README.md)
#   BROKER=apache-kafka scripts/test.sh clients    the same scenarios on Apache Kafka, to prove the scenarios
# A suite that cannot run, and a test that is ignored or skipped, is a failure.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
exec </dev/null
export LC_ALL=C.UTF-8 CARGO_TERM_COLOR=never PYTHONDONTWRITEBYTECODE=1 DEBIAN_FRONTEND=noninteractive
target=$(realpath -m "${CARGO_TARGET_DIR:-target}"); export CARGO_TARGET_DIR=$target
tools=$target/test-tools; logs=$target/test-logs; rm -rf "$logs"; mkdir -p "$tools" "$logs"
[ -z "${CI:-}" ] || export CARGO_INCREMENTAL=0
only=${1:-all}; [ $# -eq 0 ] || shift
passed=0 failed=0 began=$SECONDS
ulimit -n "$(ulimit -Hn)"

say() { printf '== %4d s  %s\n' $((SECONDS - began)) "$*"; }
# count SUITE PASSED FAILED
count() { passed=$((passed + $2)) failed=$((failed + $3)); summary+=("$(printf '%-28s %4d passed, %d failed' "$1" "$2" "$3")"); }
summary=()
finish() {
  printf '\n'; printf '%s\n' "${summary[@]}"; say "done"
  echo "$passed passed, $failed failed"
  [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]; exit
}
# step NAME COMMAND...: something the suites stand on; without it nothing after can run, and that is a failure
step() {
  local name=$1; shift; say "$name"
  "$@" >>"$logs/${name// /-}.log" 2>&1 && return
  tail -40 "$logs/${name// /-}.log"; count "$name" 0 1; finish
}
has() { command -v "$1" >/dev/null; }

packages() { # Debian packages of the commands that are missing
  local want=()
  has kcat || want+=(kcat)
  has javac || want+=(openjdk-17-jdk-headless) # its launcher runs a source file
  has mvn || want+=(maven)
  has make || want+=(make)
  has g++ || want+=(g++)
  has curl || want+=(curl ca-certificates)
  has ip || want+=(iproute2)
  has python3 || want+=(python3)
  has npm || want+=(nodejs npm)
  python3 -c 'import ensurepip, venv' 2>/dev/null || want+=(python3-venv)
  [ ${#want[@]} -eq 0 ] && return
  local root=(); [ "$(id -u)" -eq 0 ] || root=(sudo)
  "${root[@]}" apt-get update -q && "${root[@]}" apt-get install -y -q --no-install-recommends "${want[@]}"
}
python_packages() {
  [ -x "$tools/venv/bin/python" ] || python3 -m venv "$tools/venv" || return
  cmp -s tests/requirements.txt "$tools/venv/installed" && return
  "$tools/venv/bin/python" -m pip install -q --disable-pip-version-check -r tests/requirements.txt && cp tests/requirements.txt "$tools/venv/installed"
}
kafka_jars() { # the tools (and the broker) of Apache Kafka, and sources, which serve as real text
  cmp -s tests/pom.xml "$tools/kafka/pom.xml" && return
  rm -rf "$tools/kafka" "$tools/kafka-sources"
  mvn -q -B -f tests/pom.xml dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$tools/kafka" || return
  mvn -q -B -f tests/pom.xml dependency:copy-dependencies -DincludeScope=runtime -Dclassifier=sources \
    -DexcludeArtifactIds=kafka-streams,rocksdbjni -Dmdep.failOnMissingClassifierArtifact=false -DoutputDirectory="$tools/kafka-sources" || return
  rm -rf "$tools/kafka-3.9.1" # the older release that directories are taken over from, with ZooKeeper
  mvn -q -B -f tests/pom.xml -Dkafka.version=3.9.1 dependency:copy-dependencies -DincludeScope=runtime \
    -DexcludeArtifactIds=kafka-streams,rocksdbjni -DoutputDirectory="$tools/kafka-3.9.1" || return
  cp tests/pom.xml "$tools/kafka/pom.xml"
}
franz_go() { # any Go since 1.21 fetches the version that go.mod names by itself
  (cd tests/franz-go && go build -o "$tools/franz-go" .)
}

# rust_tests SUITE ARGS...: runs cargo test and counts; ignored tests count as failed
rust_tests() {
  local suite=$1 log=$logs/$1.log code; shift; say "$suite"
  cargo test --no-fail-fast "$@" >"$log" 2>&1; code=$?
  local counts; counts=$(awk '/^test result:/ {p += $4; f += $6; i += $8} END {print p + 0, f + i}' "$log")
  local p=${counts% *} f=${counts#* }
  [ "$code" -eq 0 ] || [ "$f" -gt 0 ] || f=1 # it did not build, or a test ended the process
  [ $((p + f)) -gt 0 ] || f=1
  if [ "$f" -gt 0 ]; then grep -E '^error|^test .*(FAILED|ignored)|panicked at' -A4 "$log" | tail -150; fi
  count "$suite" "$p" "$f"
}
# short_campaign: the broker against the floors; fails where a ratio is far outside of the recorded one (bench/README.md).
# The bench is the debug build that its tests made most of: what counts is that it is the same as when recorded.
short_campaign() {
  local log=$logs/short-campaign.log; say "short campaign"
  if cargo build -p bench >"$log" 2>&1 && "$target/debug/bench" judge bench/campaigns/ci/plan.toml bench/campaigns/ci/recorded.toml \
    --binary "$target/release/corelog" --dir "$tools" >>"$log" 2>&1; then count "short campaign" 1 0; else tail -30 "$log"; count "short campaign" 0 1; fi
}
# scenarios SUITE ARGS...: runs pytest and counts; skipped scenarios count as failed
scenarios() {
  local suite=$1 report=$logs/$1.xml; shift; say "$suite"; rm -f "$report"
  # Two files at a time: scenarios wait for JVMs and for groups more than they compute.
  (cd tests && "$tools/venv/bin/python" -m pytest -n "${WORKERS:-2}" --dist loadfile --junitxml "$report" --durations=25 "$@") 2>&1 |
    tee "$logs/$suite.log"
  local counts; counts=$(python3 - "$report" <<'PY' || echo "0 1"
import sys, xml.etree.ElementTree as tree
suite = tree.parse(sys.argv[1]).getroot().find("testsuite")
n = {key: int(suite.get(key)) for key in ("tests", "failures", "errors", "skipped")}
bad = n["failures"] + n["errors"] + n["skipped"]
print(max(n["tests"] - bad, 0), bad if n["tests"] else 1)
PY
  )
  count "$suite" "${counts% *}" "${counts#* }"
}

# Built for tests: link-time optimisation takes minutes more.
export CARGO_PROFILE_RELEASE_LTO=off
step "packages" packages
# What is fetched comes while the compiler works.
(python_packages) >"$logs/python-packages.log" 2>&1 & python=$!
(kafka_jars) >"$logs/Apache-Kafka-tools.log" 2>&1 & maven=$!
step "release build" cargo build --release --bin corelog
step "librdkafka" cargo build --release -p corelog-clients
step "franz-go" franz_go
step "python packages" wait "$python"
step "Apache Kafka tools" wait "$maven"
{ tests/old_clients/install.sh "$tools" && tests/compat/install.sh "$tools" kafka-python; } >"$logs/old-clients.log" 2>&1 & old=$!
if [ "$only" = all ]; then rust_tests rust; rust_tests bench -p bench; short_campaign; fi
step "old clients" wait "$old"
scenarios clients "$@"
finish
