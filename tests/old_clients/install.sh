#!/usr/bin/env bash
# Fetches the old client libraries, each pinned, from their registries: install.sh TOOLS. What is there is not fetched again.
set -euo pipefail
cd "$(dirname "$0")"
tools=$1 to=$1/old-clients python=$1/venv/bin/python
stamp=$(cat install.sh kafka-go/* sarama/* | sha256sum)
[ "$(cat "$to/installed" 2>/dev/null)" != "$stamp" ] || exit 0
rm -rf "$to"; mkdir -p "$to"
pip() { local verb=$1; shift; "$python" -m pip "$verb" -q --disable-pip-version-check --no-deps "$@"; }

for version in 1.4.7 2.0.2 2.2.15; do # their codecs are the ones in the common environment
  pip install --target "$to/kafka-python-$version" "kafka-python==$version" six==1.17.0
done
pip install --only-binary :all: --target "$to/aiokafka-0.8.0" aiokafka==0.8.0 kafka-python==2.0.2 async-timeout==4.0.3 packaging==23.2

# librdkafka is in the wheels of its Python binding. The binding wants a Python of its time, the library does not.
librdkafka() { # VERSION PYTHON ABI: the wheel that there is
  pip download --only-binary :all: --implementation cp --python-version "$2" --abi "$3" --platform manylinux1_x86_64 \
    --platform manylinux2014_x86_64 --platform manylinux_2_17_x86_64 -d "$to/wheels" "confluent-kafka==$1"
  "$python" -m zipfile -e "$to/wheels/confluent_kafka-$1-"*.whl "$to/wheels/$1"
  mkdir "$to/librdkafka-$1"
  find "$to/wheels/$1" -name 'lib*.so*' -exec mv -t "$to/librdkafka-$1" {} +
  mv "$to/librdkafka-$1/"librdkafka-*.so.1 "$to/librdkafka-$1/librdkafka.so.1"
}
librdkafka 1.0.1 3.7 cp37m
librdkafka 1.9.2 3.10 cp310
rm -r "$to/wheels"

(cd kafka-go && go build -o "$to/kafka-go-0.4.47" . && go build -modfile=go-0.4.51.mod -o "$to/kafka-go-0.4.51" .)
(cd sarama && go build -o "$to/sarama-1.29.1" .)
npm install --silent --no-audit --no-fund --prefix "$to/kafkajs-2.2.4" kafkajs@2.2.4 kafkajs-snappy@1.1.0 snappyjs@0.6.1 \
  kafkajs-lz4@2.0.0-beta.0 zstd-codec@0.1.5
# 3.9.1 is there for the take-overs; its codecs serve 2.1.1 too.
mkdir "$to/java-2.1.1"
ln -s "$tools/kafka-3.9.1/"*.jar "$to/java-2.1.1"
rm "$to/java-2.1.1/"kafka-clients-*.jar
mvn -q -B dependency:copy -Dartifact=org.apache.kafka:kafka-clients:2.1.1 -DoutputDirectory="$to/java-2.1.1"
for release in java-2.1.1 ../kafka-3.9.1; do
  javac -nowarn -cp "$to/$release/*" -d "$to/classes-$(basename "$release")" OldJava.java
done
echo "$stamp" > "$to/installed"
