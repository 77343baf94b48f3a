#!/usr/bin/env bash
# The complete form of the fault tests that CI samples, all of them or the one named:
#   scripts/test-faults.sh [bytes|devices|power|space]
# bytes: every byte of a 1 MiB tail flipped, the tail cut at every length, every kind of damage to each index, snapshot,
# checkpoint and meta file (about an hour on one core). As root, on ext4 and on XFS each: a block device that fails 100 times
# (25 rounds of each of four faults); 50 power cuts under load, 50 after a clean stop; 50 times a full disk.
# Seeds and what was seen are printed; docs/PERFORMANCE.md has the last results.
set -euo pipefail
cd "$(dirname "$0")/.."
what=${1:-all}
wanted() { [ "$what" = all ] || [ "$what" = "$1" ]; }
if wanted bytes; then
  LOG_FAULT_STEP=1 cargo test --release --lib -- log::tests::faults --nocapture
  FAULTS_ALL=1 cargo test --release --test wire -- faulty_files --nocapture
fi
if wanted devices; then FAILING_DEVICES=25 scripts/test.sh clients scenarios/test_failing_device.py -rP; fi
if wanted power; then scripts/power-cut.sh 50; fi
if wanted space; then DISK_FULLS=50 scripts/test.sh clients scenarios/test_disk_full.py -rP; fi
