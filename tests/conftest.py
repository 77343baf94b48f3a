"""Brokers for the scenarios. Their logs and data are kept where a scenario failed."""

import os
import random
import shutil

import pytest

from harness import loopfs
from harness.broker import IS_CORELOG, Broker
from harness.paths import BROKER, SCRATCH

FAILED = pytest.StashKey[bool]()


def pytest_report_header():
    missing = loopfs.why_not()
    told = [f"NO LOOP MOUNTS HERE ({missing}): power cuts and full disks are not tested"] if missing else []
    return [f"broker under test: {BROKER}", *told]


def pytest_collection_modifyitems(config, items):
    """On Apache Kafka, what only corelog has is not asked (and said so): deselected, not skipped. Likewise what needs
    file systems of its own, where there can be none."""
    absent = ([] if IS_CORELOG else ["corelog"]) + (["loop_mount"] if loopfs.why_not() else [])
    own = [item for item in items if any(item.get_closest_marker(name) for name in absent)]
    config.hook.pytest_deselected(items=own)
    items[:] = [item for item in items if item not in own]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed:
        for node in (item, item.parent):
            node.stash[FAILED] = True
        for broker in BROKERS:
            report.sections.append((f"log of the broker in {broker.directory}", broker.tail()))


BROKERS = []


def _brokers(request, name):
    """Hands out brokers; afterwards each must stop cleanly, and leaves nothing unless a scenario failed."""
    made = []

    def make(**properties):
        broker = Broker(SCRATCH / f"{name}-{os.getpid()}-{len(made)}", **properties)
        made.append(broker)
        BROKERS.append(broker)
        return broker

    yield make
    failed = request.node.stash.get(FAILED, False)
    try:
        for broker in made:
            if broker.running() and not failed:
                broker.stop()
    finally:
        for broker in made:
            BROKERS.remove(broker)
            if broker.running():
                broker.kill()
            if failed:
                print(f"kept: {broker.directory}")
            else:
                shutil.rmtree(broker.directory, ignore_errors=True)


@pytest.fixture(scope="module")
def _module_brokers(request):
    yield from _brokers(request, request.module.__name__)


@pytest.fixture(scope="module")
def broker(_module_brokers):
    """One broker for all scenarios of a file, with defaults but for the wait for first members of a group."""
    return _module_brokers(group_initial_rebalance_delay_ms=200).start()


@pytest.fixture
def make_broker(request):
    """Brokers of this scenario alone, not yet started."""
    yield from _brokers(request, request.node.name.replace("/", "-").replace("[", "-").rstrip("]"))


@pytest.fixture
def seed():
    """What is random in a scenario comes from this; `SEED=n` repeats it."""
    chosen = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"SEED={chosen}")
    return random.Random(chosen)
