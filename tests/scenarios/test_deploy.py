"""docs/DEPLOY.md, tried: XFS in a loop-mounted file, install, format, start, write, read, upgrade, uninstall."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from harness.broker import Broker
from harness.loopfs import LoopFs, why_not
from harness.paths import CORELOG, SCRATCH
from kafka import KafkaConsumer, KafkaProducer

pytestmark = [pytest.mark.corelog, pytest.mark.loop_mount]

INSTALL = Path(__file__).parents[2] / "scripts" / "install.sh"
PREFIX = "/opt/corelog"


class Installed(Broker):
    """A broker that runs what was installed, as its unit would."""

    def __init__(self, directory, root):
        super().__init__(directory)
        self.root = root

    def command(self):
        # The root directory of the installation is not this machine's: names in its files are, so they are given here.
        return [
            str(self.root) + PREFIX + "/bin/corelog",
            str(self.root) + "/etc/corelog/server.properties",
            *("--override", f"listeners=PLAINTEXT://{self.address},CONTROLLER://localhost:9093"),
            *("--override", f"log.dirs={self.root}/data/corelog"),
            *("--override", "corelog.admin.listener=127.0.0.1:0"),
        ]


@pytest.fixture
def machine():
    if why_not():
        pytest.skip(why_not())
    disk = LoopFs(SCRATCH / f"deploy-{os.getpid()}", "xfs", 320)
    subprocess.run(["mount", "-o", "remount,noatime", disk.path], check=True)
    root = disk.image.parent / "root"
    (root / "data").mkdir(parents=True)
    subprocess.run(["mount", "--bind", disk.path, root / "data"], check=True)
    yield root
    subprocess.run(["umount", "-l", root / "data"], check=True)
    disk.remove()


def install(root, *words, code=0):
    environment = {**os.environ, "INSTALL_ROOT": str(root)}
    line = [INSTALL, "--prefix", PREFIX, "--binary", CORELOG, "--data", "/data/corelog", "--no-tune", *words]
    done = subprocess.run(line, capture_output=True, text=True, env=environment)
    assert done.returncode == code, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def files(root):
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir())


def test_a_node_is_deployed_on_xfs_upgraded_and_taken_away(machine):
    before = files(machine)
    assert "nothing was changed" in install(machine, "--dry-run") and files(machine) == before
    told = install(machine)
    assert "installed: corelog" in told and "systemctl enable --now corelog" in told
    unit = (machine / "etc/systemd/system/corelog.service").read_text()
    assert f"ExecStart={PREFIX}/bin/corelog /etc/corelog/server.properties" in unit
    assert "log.dirs=/data/corelog" in (machine / "etc/corelog/server.properties").read_text()

    binary = str(machine) + PREFIX + "/bin/corelog"
    properties = machine / "etc/corelog/server.properties"
    here = properties.with_name("here.properties")
    here.write_text(properties.read_text().replace("log.dirs=/data", f"log.dirs={machine}/data"))
    doctor = subprocess.run([binary, "doctor", "--config", here], capture_output=True, text=True)
    assert doctor.returncode in (0, 1) and "ok        file system: xfs" in doctor.stdout, doctor.stdout
    assert "ok        access times: noatime" in doctor.stdout, doctor.stdout
    storage = str(machine) + PREFIX + "/share/corelog/scripts/kafka-storage.sh"
    environment = {**os.environ, "CORELOG_BIN": binary}
    identity = subprocess.run([storage, "random-uuid"], capture_output=True, text=True, env=environment, check=True)
    line = [storage, "format", "--standalone", "-t", identity.stdout.strip(), "-c", here]
    subprocess.run(line, env=environment, check=True, capture_output=True)

    broker = Installed(machine.parent / "run", machine)
    broker.start()
    producer = KafkaProducer(bootstrap_servers=broker.address, acks="all")
    assert producer.send("deployed", b"before").get(30).offset == 0
    producer.close()
    # The upgrade replaces the binary under a running broker, which goes on until it is restarted.
    properties.write_text(properties.read_text() + "# an administrator's own\n")
    assert "server.properties is kept" in install(machine)
    assert properties.read_text().endswith("own\n") and broker.running()
    broker.restart()
    consumer = KafkaConsumer("deployed", bootstrap_servers=broker.address, auto_offset_reset="earliest")
    assert next(consumer).value == b"before"
    consumer.close()
    broker.stop()

    kept = install(machine, "--uninstall")
    assert "kept:" in kept
    left = [name for name in files(machine) if not name.startswith(("data/", "etc/corelog/"))]
    assert left == before, left
    assert (machine / "data/corelog/meta.properties").exists() and properties.exists()
    install(machine, "--frob", code=2)
    shutil.rmtree(machine / "etc")
