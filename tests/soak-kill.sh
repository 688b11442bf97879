#!/usr/bin/env bash
# The VRRP process of a master is killed 200 times at an interval of 1 s and 200 times at 100 ms, stopped as
# often with hellos of 100 and 50 ms, all at least 15 intervals apart, and killed in bursts, beside a keepalived
# that must not notice (tests/tests/e2e_resume.rs). Several pairs of hosts play at once. Some 15 minutes.
#
#   ROUNDS=200                    how often of each kind
#   LIMIT=30                      minutes after which each of the two parts is given up
set -u
cd "$(dirname "$0")/.."
export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
target=${CARGO_TARGET_DIR:-$PWD/target}
mkdir -p "$target/soak-logs"
log=$target/soak-logs/kill.log
export RELEVO_SOAK=1 RELEVO_SOAK_ROUNDS=${ROUNDS:-200} RELEVO_SOAK_TABLE=$target/soak-logs/kill.txt
: >"$RELEVO_SOAK_TABLE"
: >"$log"
cargo build --quiet --release --package relevo || exit 1
export RELEVO_BIN=$target/release/relevo
cargo test --quiet --package relevo-tests --no-run --test e2e_resume || exit 1

# Network namespaces come and go under a lock that every daemon of the host needs now and then, for longer than
# a peer at 100 ms waits: those tests run alone.
part() {
	timeout --kill-after=30 "${LIMIT:-30}m" cargo test --quiet --package relevo-tests --test e2e_resume -- \
		--nocapture "$@" >>"$log" 2>&1 || failed=1
}
# All namespaces share the kernel's table of neighbours. When somebody else on the machine fills it, adverts are
# lost for seconds, and what the routers make of that is no fault of theirs.
overflows() { dmesg 2>/dev/null | grep -c 'neighbor table overflow'; }

failed=0
before=$(overflows)
began=$(date +%s)
part --test-threads 1 100_ms
part --test-threads 4 --skip 100_ms
echo '=== What was told'
awk -F'|' '{ printf "%-32s %s\n", $3, $4 }' "$RELEVO_SOAK_TABLE"
echo
grep '^test result:' "$log"
[ "$(overflows)" = "$before" ] ||
	echo 'The table of neighbours, which all namespaces share, overflowed meanwhile: adverts were lost.'
echo "$(($(date +%s) - began))s; the rest is in $log"
[ "$failed" = 0 ]
