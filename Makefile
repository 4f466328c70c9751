# What a contributor types; `make help` lists it. Nothing here needs more than a Rust toolchain, a C compiler and,
# for the SDK tests, Python and Node.js.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CARGO_DENY := 0.20.2
CARGO_MACHETE := 0.9.2
CARGO_FUZZ := 0.13.2
TOOLS := target/tools
VENV := .venv
NPM := tests/sdk/js/node_modules
AGENTS := tests/agents
FRAMEWORKS := tests/frameworks
ADVISORIES := https://github.com/rustsec/advisory-db

.PHONY: help run up down test lint bench bench-instructions chaos-routing chaos-money money-model fuzz servers rust-test sdk-test compatibility agents-test frameworks-test deploy-test compose-test advisories

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## build and start the gateway with the demo configuration
	cargo run -p portcullis -- standalone

up: servers ## start PostgreSQL, Redis, two control planes, two ledgers and three proxies in .data
	cargo build -p portcullis -p control-plane -p ledger -p proxy --bins
	scripts/services up

down: ## stop what `make up` started; the data stays
	scripts/services down

test: rust-test sdk-test deploy-test ## run all tests; installs the SDKs for Python into .venv and for Node.js beside their tests

rust-test: servers ## run the Rust tests, those that start our binaries too
	cargo build --workspace --bins
	cargo test --workspace
	cargo test -p wire --features exact-tokens --lib tokens::

servers: ## install the Redis, PostgreSQL and Prometheus servers that tests start for themselves, where they are missing
	@command -v redis-server >/dev/null || scripts/install-quietly redis-server
	@command -v postgres >/dev/null || ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || \
	  scripts/install-quietly postgresql
	@command -v prometheus >/dev/null || scripts/install-quietly prometheus

sdk-test: servers $(VENV)/.installed $(NPM)/.installed ## run the SDK tests against the binaries of the last build
	$(VENV)/bin/python -m pytest tests/sdk tools

compatibility: $(VENV)/.installed ## write docs/COMPATIBILITY.md from a run of the matrix against the binaries of the last build
	$(VENV)/bin/python -m pytest -q -s tests/sdk/test_matrix.py --write-compatibility

agents-test: $(VENV)/.installed $(AGENTS)/node_modules/.installed $(AGENTS)/.venv/.installed ## drive five coding agents before all dialects, without a network; root, 2 GB of packages, four minutes
	cargo build --workspace --bins
	$(AGENTS)/without-network $(VENV)/bin/python -m pytest -q $(AGENTS)

frameworks-test: $(FRAMEWORKS)/.venv/.installed $(FRAMEWORKS)/node_modules/.installed ## run six frameworks for Python and the Vercel AI SDK before all dialects; 600 MB, three minutes
	cargo build --workspace --bins
	$(FRAMEWORKS)/.venv/bin/python -m pytest -q $(FRAMEWORKS)

deploy-test: servers $(VENV)/.installed ## check manifests, compose file and dashboards against schemas and the binaries of the last build; check links
	$(VENV)/bin/python -m pytest -q tests/deploy

compose-test: $(VENV)/.installed ## build the images and test docker-compose.yml on a real engine, as root on Debian; 20 minutes
	scripts/compose-test

# The stamp is newer than the requirements exactly when they are installed.
REQUIREMENTS := tests/sdk/requirements.txt tests/deploy/requirements.txt
$(VENV)/.installed: $(REQUIREMENTS)
	@if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then \
	  if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
	    echo 'make test needs Python 3 with venv and pip (on Debian: python3-venv)' >&2; exit 1; \
	  fi; \
	  echo 'installing python3-venv with apt-get'; \
	  apt-get update -q && apt-get install -qy python3-venv; \
	fi
	@echo 'installing into $(VENV):' && cat $(REQUIREMENTS)
	python3 -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check $(REQUIREMENTS:%=-r %)
	@touch $@

$(NPM)/.installed: tests/sdk/js/package-lock.json
	@command -v npm >/dev/null || scripts/install-quietly nodejs npm
	@echo 'installing into $(NPM), with what they need:' && grep -E '^ +"[^"]+": "[0-9]' tests/sdk/js/package.json
	cd tests/sdk/js && npm ci --silent --ignore-scripts --no-audit --no-fund
	@touch $@

# Without a lock file: agents bring their binaries as optional packages of every platform, which npm cannot lock in one place.
$(AGENTS)/node_modules/.installed: $(AGENTS)/package.json
	@command -v npm >/dev/null || scripts/install-quietly nodejs npm
	@echo 'installing into $(AGENTS):' && grep -E '^ +"[^"]+": "[0-9]' $(AGENTS)/package.json
	cd $(AGENTS) && npm install --no-package-lock --silent --ignore-scripts --no-audit --no-fund
	@touch $@

$(FRAMEWORKS)/node_modules/.installed: $(FRAMEWORKS)/package-lock.json
	@command -v npm >/dev/null || scripts/install-quietly nodejs npm
	@echo 'installing into $(FRAMEWORKS):' && grep -E '^ +"[^"]+": "[0-9]' $(FRAMEWORKS)/package.json
	cd $(FRAMEWORKS) && npm ci --silent --ignore-scripts --no-audit --no-fund
	@touch $@

# Each beside its requirements, since they need other versions of the same packages.
$(AGENTS)/.venv/.installed $(FRAMEWORKS)/.venv/.installed: %/.venv/.installed: %/requirements.txt $(VENV)/.installed
	@echo 'installing into $*/.venv:' && cat $*/requirements.txt
	python3 -m venv $*/.venv
	$*/.venv/bin/python -m pip install --quiet --disable-pip-version-check -r $*/requirements.txt
	@touch $@

lint: $(TOOLS)/.cargo-deny-$(CARGO_DENY) $(TOOLS)/.cargo-machete-$(CARGO_MACHETE) ## run every static check
	cargo fmt --all -- --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo run -q -p xtask -- lint
	$(TOOLS)/bin/cargo-deny --locked check licenses bans sources
	@$(MAKE) --no-print-directory advisories
	$(TOOLS)/bin/cargo-machete crates

bench: ## measure the proxy beside nginx, on a machine with nothing else to do; three minutes and the build
	@command -v nginx >/dev/null || scripts/install-quietly nginx-light
	cargo build --release -p portcullis -p proxy -p bench
	target/release/bench

bench-instructions: ## count the instructions a request costs the proxy, or another one by PROXY=path; two minutes and the build
	@command -v valgrind >/dev/null || scripts/install-quietly valgrind
	cargo build --release -p portcullis -p proxy -p bench
	target/release/bench instructions $(if $(PROXY),--proxy '$(PROXY)')

chaos-routing: servers ## let providers fail before three proxies and print what requests saw of it; two minutes and the build
	cargo build -p portcullis -p proxy --bins
	CHAOS_HOLD_TIMES=1 cargo test -p portcullis --test chaos_routing -- --nocapture --test-threads=1

chaos-money: servers ## hold hard caps while what they stand on is killed, emptied and paused, and print it; two minutes and the build
	cargo build -p portcullis -p proxy -p control-plane -p ledger --bins
	cargo test -p portcullis --test chaos_money -- --nocapture --test-threads=1

money-model: ## check the protocol of budgets by its model, and that every wrong variant of it is caught; eight minutes
	python3 tools/money_model.py --seeds 4000
	python3 tools/money_model.py --variant wait --seeds 2000
	python3 tools/money_model.py --variants --seeds 8000

fuzz: $(TOOLS)/.cargo-fuzz-$(CARGO_FUZZ) ## fuzz every decoder for a minute each, from the fixtures on; needs a C++ compiler
	python3 fuzz/seed.py
	cd fuzz && for target in calls replies streams uploads; do \
	  RUSTC_BOOTSTRAP=1 ../$(TOOLS)/bin/cargo-fuzz run -s none $$target -- -max_total_time=60 -rss_limit_mb=2048 || exit 1; \
	done

advisories: $(TOOLS)/.cargo-deny-$(CARGO_DENY) ## check dependencies for known vulnerabilities, where the database is reachable
	@if timeout 20 git ls-remote --quiet $(ADVISORIES) HEAD >/dev/null 2>&1; then \
	  $(TOOLS)/bin/cargo-deny --locked check advisories; \
	else \
	  echo 'advisories NOT checked: $(ADVISORIES) cannot be reached from here'; \
	fi

# Built without optimisation: compiling them takes about a minute and a half, running them a few seconds.
$(TOOLS)/.cargo-deny-$(CARGO_DENY) $(TOOLS)/.cargo-machete-$(CARGO_MACHETE) $(TOOLS)/.cargo-fuzz-$(CARGO_FUZZ): $(TOOLS)/.%:
	@name='$*'; tool="$${name%-*}"; version="$${name##*-}"; \
	echo "installing $$tool $$version into $(TOOLS)"; \
	CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --locked --debug --root $(TOOLS) --version "$$version" "$$tool"
	@touch $@
