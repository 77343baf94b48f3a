#!/usr/bin/env bash
# Cuts the power of loop-mounted ext4 and XFS under load, again and again, and looks for what was lost (root only).
#   scripts/power-cut.sh [ROUNDS]     rounds on each file system; 50 by default, 2 in scripts/test.sh
cd "$(dirname "$0")/.." || exit 1
POWER_CUTS=${1:-50} exec scripts/test.sh clients scenarios/test_power_cut.py -rP
