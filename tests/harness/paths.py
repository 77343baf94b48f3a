"""Where things are. `scripts/test.sh` puts all of them under the target directory."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
TOOLS = TARGET / "test-tools"
SCRATCH = TARGET / "test-scratch"

#: the broker under test: `corelog`, or `apache-kafka` to prove a scenario on the original
BROKER = os.environ.get("BROKER", "corelog")
CORELOG = Path(os.environ.get("CORELOG_BIN", TARGET / "release" / "corelog"))
RDK = Path(os.environ.get("RDK_BIN", TARGET / "release" / "rdk"))
FRANZ_GO = TOOLS / "franz-go"
KAFKA_JARS = TOOLS / "kafka"
LOG4J = ROOT / "tests" / "log4j2.xml"
