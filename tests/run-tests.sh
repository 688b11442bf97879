#!/usr/bin/env bash
# All that judges the tree, in order, each step to its end whatever the one before said. The last line is
# `N passed, N failed, N skipped`; the exit code is 0 when nothing failed.
set -u
cd "$(dirname "$0")/.."

# Absolute: the tests run in folders of their own.
target=${CARGO_TARGET_DIR:-$PWD/target}
case $target in
/*) ;;
*) target=$PWD/$target ;;
esac
[ -z "${CARGO_TARGET_DIR:-}" ] || export CARGO_TARGET_DIR=$target
logs=$target/test-logs
rm -rf "$logs"
mkdir -p "$logs"
export RELEVO_SKIPS=$target/skips.txt
: >"$RELEVO_SKIPS"
SEEDS=${SEEDS:-1000}
LABS=${LABS:-6}
export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

passed=0
failed=0
ran=()
broken=()
began=$SECONDS

# count LOG: passed and failed tests that cargo test or nextest told of.
count() {
	awk '
		/^test result:/ { for (i = 2; i <= NF; i++) { if ($i ~ /^passed/) p += $(i-1); if ($i ~ /^failed/) f += $(i-1) } }
		/^ *Summary \[/ { for (i = 2; i <= NF; i++) { if ($i ~ /^passed/) p += $(i-1); if ($i ~ /^failed/) f += $(i-1);
			if ($i ~ /^timed/) f += $(i-1) } }
		END { print p + 0, f + 0 }' "$1"
}

# step NAME KIND COMMAND..: KIND is `one` (the step is one test) or `many` (its output tells how many).
step() {
	local name=$1 kind=$2 log start=$SECONDS code p=0 f=0
	shift 2
	log=$logs/${name//[^a-z0-9]/-}.log
	printf '\n=== %s (%ds so far)\n' "$name" $((SECONDS - began))
	"$@" 2>&1 | tee "$log"
	code=${PIPESTATUS[0]}
	[ "$kind" = one ] || read -r p f < <(count "$log")
	if [ "$kind" = one ] && [ "$code" = 0 ]; then
		p=1
	elif [ "$code" != 0 ] && [ "$f" = 0 ]; then
		f=1
	elif [ "$kind" = many ] && [ "$p" = 0 ]; then
		echo "$name: no test ran"
		f=1
	fi
	passed=$((passed + p))
	failed=$((failed + f))
	ran+=("$name $p in $((SECONDS - start))s")
	[ "$f" = 0 ] || broken+=("$name")
}

unit_tests() {
	if cargo nextest --version >/dev/null 2>&1; then
		cargo nextest run --workspace --no-fail-fast -E 'not binary(/^e2e_/)' --status-level pass
	else
		# Not --tests with a filter: cargo test has none for binaries, so the end-to-end ones are named away.
		local targets
		targets=$(plain_targets)
		[ -n "$targets" ] || { echo 'the tests of relevo-tests were not found'; return 1; }
		cargo test --workspace --no-fail-fast --exclude relevo-tests &&
			cargo test --package relevo-tests --no-fail-fast --lib --bins $targets
	fi
}

# The test binaries of relevo-tests that need no network, as cargo's words.
plain_targets() {
	cargo metadata --format-version 1 --no-deps --offline |
		tr '{' '\n' | grep '"kind":\["test"\]' | grep -F "\"src_path\":\"$(pwd -P)/tests/" | grep -o '"name":"[^"]*"' | cut -d'"' -f4 |
		grep -v '^e2e_' | sed 's/^/--test /'
}

end_to_end() {
	cargo test --package relevo-tests --no-fail-fast --test 'e2e_*' -- --test-threads "$LABS"
}

# Skips that CI does not forgive.
unforgiven() {
	local line pattern forgiven
	while IFS= read -r line; do
		forgiven=
		while IFS= read -r pattern; do
			case "$pattern" in '' | '#'*) continue ;; esac
			case "$line" in "$pattern"*) forgiven=1 ;; esac
		done <tests/allowed-skips.txt
		[ -n "$forgiven" ] || echo "$line"
	done <"$RELEVO_SKIPS"
}

sh tests/install-deps.sh test || echo 'going on without; what cannot run will say so'

step 'format' one cargo fmt --all --check
step 'clippy' one cargo clippy --quiet --workspace --all-targets -- --deny warnings
step 'unit tests' many unit_tests
step "explore $SEEDS seeds" one cargo run --quiet --release --package relevo-sim -- explore --seeds "$SEEDS"
step 'build of the daemon' one cargo build --quiet --package relevo
step 'end to end' many end_to_end

skipped=$(sort -u "$RELEVO_SKIPS" | grep -c .)
passed=$((passed - skipped))
echo
if [ "$skipped" -gt 0 ]; then
	echo 'Skipped:'
	sort -u "$RELEVO_SKIPS" | sed 's/^/  /'
fi
if [ "${CI:-}" = true ] && [ -n "$(unforgiven)" ]; then
	echo 'CI does not forgive skips that tests/allowed-skips.txt does not name.'
	failed=$((failed + 1))
	broken+=('skips')
fi
summary=$(printf '%s; ' "${ran[@]}")
reasons=$(sed 's/^[^ ]*: //' "$RELEVO_SKIPS" | sort | uniq -c | sed 's/^ *\([0-9]*\) /\1 x /' | paste -sd';')
echo "Ran: ${summary%; }. Failed: ${broken[*]:-nothing}. Skipped: ${reasons:-nothing}. $((SECONDS - began))s in all."
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
