#!/usr/bin/env bash
# mutants.sh [PATCH..]: plants each fault of tests/mutants (a patch of one line, with a caption above its
# diff) in a copy of the tree and demands that the fast tests fail. A fault that nothing notices, a patch
# that does not apply and one that does not build are failures of this run.
set -u
cd "$(dirname "$0")/.."
top=$PWD
work=$top/target/mutants
tree=$work/tree
SEEDS=${SEEDS:-300}
# Seconds that one kind of tests may take.
PATIENCE=${PATIENCE:-180}
export CARGO_TARGET_DIR=$work/build CARGO_PROFILE_DEV_DEBUG=0
# The copy lies inside a repository but is none: patches apply to plain files.
export GIT_CEILING_DIRECTORIES=$work

patches=("$@")
[ $# -gt 0 ] || patches=(tests/mutants/*.patch)
if [ ! -e "${patches[0]}" ]; then
	echo 'mutants: no patch in tests/mutants' >&2
	exit 1
fi

# Old times stay, so that a second run builds only what has changed.
mkdir -p "$tree"
git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
	[ -f "$file" ] || continue
	mkdir -p "$tree/$(dirname "$file")"
	cmp -s "$file" "$tree/$file" || cp "$file" "$tree/$file"
done

# The test binaries that need no network.
binaries=(--lib)
for file in $(cd "$tree" && cargo metadata --format-version 1 --no-deps --offline | tr '{' '\n' |
	grep '"kind":\["test"\]' | grep -F "\"src_path\":\"$tree/tests/" | grep -o '"name":"[^"]*"' | cut -d'"' -f4 |
	grep -v -e '^e2e_' -e '^tidy$'); do
	binaries+=(--test "$file")
done

# Each: builds first, since a mutant that does not build has not been caught.
build() {
	(cd "$tree" && cargo test --quiet --no-run -p relevo-core &&
		cargo test --quiet --no-run -p relevo-tests "${binaries[@]}" &&
		if [ -n "$daemon" ]; then cargo test --quiet --no-run -p relevo --lib; fi) >"$log" 2>&1
}
core_tests() { patiently cargo test --quiet -p relevo-core; }
table_tests() { patiently cargo test --quiet -p relevo-tests "${binaries[@]}"; }
# Only for faults planted there: it takes its time to build.
daemon_tests() { [ -z "$daemon" ] || patiently cargo test --quiet -p relevo --lib; }
explore() { patiently cargo run --quiet --release -p relevo-sim -- explore --seeds "$SEEDS"; }

# Runs a command in the copy; one that hangs has noticed something too.
patiently() {
	(cd "$tree" && timeout --kill-after=5 "$PATIENCE" "$@") >"$log" 2>&1
	local code=$?
	[ "$code" != 124 ] || echo "test no end after $PATIENCE s ... FAILED" >>"$log"
	return "$code"
}

# Prints which test noticed first; nothing when all is well.
noticed() {
	local kind
	for kind in daemon_tests core_tests table_tests explore; do
		if ! $kind; then
			local first
			first=$(grep -m1 -E '^test .*FAILED$|^---- .* stdout' "$log" | sed 's/^test //; s/ \.\.\. FAILED//; s/^---- //; s/ stdout.*//')
			echo "${kind//_/ }: ${first:-$(grep -m1 . "$log" | cut -c1-60)}"
			return
		fi
	done
}

log=$work/baseline.log
daemon=$(grep -l '^+++ b/runtime-mio/' "${patches[@]}" | head -1)
echo "mutants: first the tree as it is must pass"
if ! build || [ -n "$(noticed)" ]; then
	tail -n 30 "$log"
	echo 'mutants: the tests fail without any fault planted' >&2
	exit 1
fi

caught=0
bad=0
rows=()
for patch in "${patches[@]}"; do
	name=$(basename "$patch" .patch)
	log=$work/$name.log
	daemon=$(grep '^+++ b/runtime-mio/' "$patch")
	caption=$(sed -n '/^\(diff\|---\)/q; /./{p;q}' "$patch")
	if ! (cd "$tree" && git apply "$top/$patch" 2>"$log"); then
		result='DOES NOT APPLY'
	else
		if ! build; then
			result='DOES NOT BUILD'
		else
			found=$(noticed)
			result=${found:+caught by $found}
		fi
		(cd "$tree" && git apply --reverse "$top/$patch") || exit 1
	fi
	case "${result:=NOT NOTICED}" in
	caught*) caught=$((caught + 1)) ;;
	*) bad=$((bad + 1)) ;;
	esac
	row=$(printf '%-22s %-60s %s' "$name" "$caption" "$result")
	rows+=("$row")
	echo "$row"
	result=
done
echo
echo "${#patches[@]} faults planted, $caught caught, $bad not"
[ "$bad" = 0 ]
