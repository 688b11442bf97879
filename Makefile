# Everything that one does with this tree. Each target installs what it needs, where it may.

CARGO ?= cargo
# Debian keeps network tools where an ordinary user does not look.
export PATH := $(PATH):/usr/local/sbin:/usr/sbin:/sbin
SEEDS ?= 10000
SECONDS ?= 60
SOAK ?= flood,freeze,clock,log,links
MINUTES ?= 1
ROUNDS ?=

.PHONY: help demo test explore mutants bench bench-quick fuzz soak fmt lint

help:
	@echo 'make demo     two real daemons, a client, and what it notices of failures (under a minute)'
	@echo 'make test     everything that judges the tree; ends with what passed, failed and was skipped'
	@echo 'make explore  SEEDS=$(SEEDS) simulated clusters'
	@echo 'make mutants  plants faults and demands that the tests find them'
	@echo 'make bench    takeover times, cost of an advert, bursts, start and rest, beside keepalived (20 minutes)'
	@echo 'make bench-quick  the same with a run of each (some minutes)'
	@echo 'make fuzz     SECONDS=$(SECONDS) in all of a search for an input that breaks a promise'
	@echo 'make soak     SOAK=$(SOAK) MINUTES=$(MINUTES): the long runs, keepalived beside them (some 40 minutes)'
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
	@python3 tests/bench/takeover.py --plan 0.01:40,0.1:40,1:20
	@python3 tests/bench/scale.py
	@python3 tests/bench/life.py
	@python3 tests/bench/reload.py
	@python3 tests/bench/config.py

bench-quick:
	@sh tests/install-deps.sh bench
	@$(CARGO) build --quiet --release --package relevo
	@python3 tests/bench/takeover.py --plan 0.01:10,0.1:10,1:8
	@python3 tests/bench/scale.py --quick
	@python3 tests/bench/life.py --quick
	@python3 tests/bench/reload.py --quick
	@python3 tests/bench/config.py --quick

fuzz:
	@sh tests/install-deps.sh build
	@$(CARGO) run --quiet --profile fuzz --package relevo-fuzz -- --seconds $(SECONDS)

soak:
	@sh tests/install-deps.sh soak || echo 'going on without; what cannot run will say so'
	@SOAK='$(SOAK)' MINUTES='$(MINUTES)' ROUNDS='$(ROUNDS)' bash tests/soak.sh

fmt:
	@$(CARGO) fmt

lint:
	@$(CARGO) fmt --check
	@$(CARGO) clippy --workspace --all-targets -- --deny warnings
