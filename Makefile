# Everything that one does with this tree. Each target installs what it needs, where it may.

CARGO ?= cargo
# Debian keeps network tools where an ordinary user does not look.
export PATH := $(PATH):/usr/local/sbin:/usr/sbin:/sbin
SEEDS ?= 10000
SECONDS ?= 60

.PHONY: help demo test explore mutants bench fuzz soak fmt lint

help:
	@echo 'make demo     two real daemons, a client, and what it notices of failures (under a minute)'
	@echo 'make test     everything that judges the tree; ends with what passed, failed and was skipped'
	@echo 'make explore  SEEDS=$(SEEDS) simulated clusters'
	@echo 'make mutants  plants faults and demands that the tests find them'
	@echo 'make bench    takeover times against keepalived'
	@echo 'make fuzz     SECONDS=$(SECONDS) in all of a search for an input that breaks a promise'
	@echo 'make soak     long runs'
	@echo 'make fmt lint the formatter and the linter'

demo:
	@sh tests/install-deps.sh demo
	@$(CARGO) build --quiet --release --package relevo
	@$(CARGO) run --quiet --release --package relevo-tests --bin demo

test:
	@bash tests/run-tests.sh

explore:
	@sh tests/install-deps.sh build
	@$(CARGO) run --quiet --release --package relevo-sim -- explore --seeds $(SEEDS)

mutants:
	@sh tests/install-deps.sh build
	@bash tests/mutants.sh

bench:
	@sh tests/install-deps.sh bench
	@$(CARGO) build --quiet --release --package relevo
	@python3 tests/bench/takeover.py

fuzz:
	@sh tests/install-deps.sh build
	@$(CARGO) run --quiet --profile fuzz --package relevo-fuzz -- --seconds $(SECONDS)

soak:
	@echo 'soak: not built yet; long runs come with the next part of the work'

fmt:
	@$(CARGO) fmt

lint:
	@$(CARGO) fmt --check
	@$(CARGO) clippy --workspace --all-targets -- --deny warnings
