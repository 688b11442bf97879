#!/usr/bin/env bash
# The VRRP process of a master is killed 200 times at an interval of 1 s and 200 times at 100 ms, at least 15
# intervals apart, beside a keepalived that must not notice (tests/tests/e2e_resume.rs). About an hour.
#
#   ROUNDS=200                    how often at each interval
#   LIMIT=120                     minutes after which it is given up
set -u
cd "$(dirname "$0")/.."
SOAK=resume LIMIT=${LIMIT:-120} ROUNDS=${ROUNDS:-200} exec bash tests/soak.sh
