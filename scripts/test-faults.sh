#!/usr/bin/env bash
# The complete form of the fault tests that CI samples: every byte of a 1 MiB tail flipped, the tail cut at every length,
# every kind of damage to each index, snapshot, checkpoint and meta file. Takes about an hour on one core. And, as root, a failing block device
# 100 times on each file system.
set -euo pipefail
cd "$(dirname "$0")/.."
LOG_FAULT_STEP=1 cargo test --release --lib -- log::tests::faults --nocapture
FAULTS_ALL=1 cargo test --release --test wire -- faulty_files --nocapture
FAILING_DEVICES=100 exec scripts/test.sh clients scenarios/test_failing_device.py -rP
