#!/usr/bin/env bash
# The long runs, one part after the other: the end-to-end tests of the same names at full length
# (RELEVO_SOAK=1), with the optimised daemon, and keepalived beside it where that makes sense. Ends with a table
# of what they told; the exit code is 0 when nothing failed.
#
#   SOAK=flood,freeze,clock,log,links   which parts
#   MINUTES=1                     how long each flood lasts
#   ROUNDS=                       how often the rest is tried; without it, as often as each test thinks best
#   LIMIT=20                      minutes after which a part is given up; killed processes have a run of their
#                                 own, see soak-kill.sh
set -u
cd "$(dirname "$0")/.."

SOAK=${SOAK:-flood,freeze,clock,log,links}
MINUTES=${MINUTES:-1}
ROUNDS=${ROUNDS:-}
LIMIT=${LIMIT:-20}
target=${CARGO_TARGET_DIR:-$PWD/target}
case $target in
/*) ;;
*) target=$PWD/$target ;;
esac
[ -z "${CARGO_TARGET_DIR:-}" ] || export CARGO_TARGET_DIR=$target
logs=$target/soak-logs
rm -rf "$logs"
mkdir -p "$logs"
export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export RELEVO_SOAK=1 RELEVO_SOAK_SECONDS=$((MINUTES * 60)) RELEVO_SOAK_TABLE=$logs/table.txt
export RELEVO_SKIPS=$logs/skips.txt
[ -z "$ROUNDS" ] || export RELEVO_SOAK_ROUNDS=$ROUNDS
: >"$RELEVO_SOAK_TABLE"
: >"$RELEVO_SKIPS"
began=$(date +%s)
passed=0
failed=0
summary=()

passed_time() { echo $(($(date +%s) - began)); }

# How many tests of a part run side by side: a flood wants the machine for itself.
threads() {
	case $1 in
	flood) echo 1 ;;
	*) echo 2 ;;
	esac
}

part() {
	local name=$1 log=$logs/$1.log start p f code
	start=$(passed_time)
	printf '\n=== %s (%ds so far; at most %d minutes)\n' "$name" "$start" "$LIMIT"
	timeout --kill-after=30 "${LIMIT}m" cargo test --quiet --package relevo-tests --no-fail-fast --test "e2e_$name" -- \
		--nocapture --test-threads "$(threads "$name")" 2>&1 | tee "$log"
	code=${PIPESTATUS[0]}
	read -r p f < <(awk '/^test result:/ { for (i = 2; i <= NF; i++) {
		if ($i ~ /^passed/) p += $(i-1); if ($i ~ /^failed/) f += $(i-1) } } END { print p + 0, f + 0 }' "$log")
	if [ "$code" = 124 ] || [ "$code" = 137 ]; then
		echo "$name: given up after $LIMIT minutes"
		f=$((f + 1))
	elif [ "$code" != 0 ] && [ "$f" = 0 ]; then
		f=1
	fi
	passed=$((passed + p))
	failed=$((failed + f))
	summary+=("$name: $p passed, $f failed in $(($(passed_time) - start))s")
}

# The wall clock of a guest machine is stepped; no cargo test, because that takes a kernel of its own.
clock() {
	local start text code
	start=$(passed_time)
	printf '\n=== clock (%ds so far)\n' "$start"
	text=$(sh tests/soak-clock.sh "$RELEVO_BIN" "$logs/clock" 2>&1)
	code=$?
	echo "$text"
	case $code in
	0)
		passed=$((passed + 1))
		echo "clock: the wall clock steps by an hour|relevo|adverts|$(echo "$text" | tail -1)" >>"$RELEVO_SOAK_TABLE"
		;;
	3)
		passed=$((passed + 1))
		echo "soak::clock: $text" >>"$RELEVO_SKIPS"
		;;
	*) failed=$((failed + 1)) ;;
	esac
	summary+=("clock: code $code in $(($(passed_time) - start))s")
}

# The rows `test|who|figure|value` as a table: one line for each figure, a column for each program.
table() {
	awk -F'|' '
		{ if (!($1 in tests)) { tests[$1] = ++m; test[m] = $1 }
		  key = $1 "|" $3; if (!(key in seen)) { seen[key] = ++n; order[n] = key }
		  value = $4; for (i = 5; i <= NF; i++) value = value "|" $i
		  if (($2, key) in got) got[$2, key] = got[$2, key] "; " value; else got[$2, key] = value }
		END { for (t = 1; t <= m; t++) { printf "\n%s\n", test[t]
			for (i = 1; i <= n; i++) { split(order[i], word, "|"); if (word[1] != test[t]) continue
				printf "  %-42s %s\n", word[2], (("relevo", order[i]) in got) ? got["relevo", order[i]] : "-"
				if (("keepalived", order[i]) in got) printf "  %-42s %s\n", "    keepalived", got["keepalived", order[i]] } } }' \
		"$RELEVO_SOAK_TABLE"
}

echo "Parts: $SOAK. Floods of $MINUTES min, rounds: ${ROUNDS:-as each test has them}. Logs: $logs"
cargo build --quiet --release --package relevo || exit 1
export RELEVO_BIN=$target/release/relevo
cargo test --quiet --package relevo-tests --no-run --test 'e2e_*' || exit 1
for name in ${SOAK//,/ }; do
	if [ "$name" = clock ]; then
		clock
	elif [ -f "tests/tests/e2e_$name.rs" ]; then
		part "$name"
	else
		echo "soak: there is no part called $name"
		failed=$((failed + 1))
	fi
done

echo
echo '=== What was told'
table
skipped=$(sort -u "$RELEVO_SKIPS" | grep -c .)
if [ "$skipped" -gt 0 ]; then
	echo
	echo 'Skipped:'
	sort -u "$RELEVO_SKIPS" | sed 's/^/  /'
	passed=$((passed - skipped))
fi
echo
printf '%s\n' "${summary[@]}"
echo "$passed passed, $failed failed, $skipped skipped in $(passed_time)s"
[ "$failed" = 0 ]
