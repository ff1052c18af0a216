# The same few words for a person, for CI and for a first visit. `make` alone lists them.

.DEFAULT_GOAL := help
.PHONY: help build demo up down dev seed agent up-agent down-agent demo-aws demo-gcp demo-azure \
	codex-up codex-agent codex-demo-aws codex-demo-gcp codex-demo-azure codex-test check lints test test-all test-proofs \
	test-agents prove bench

# rustup's folder is often missing from the PATH of a shell that is not interactive.
export PATH := $(PATH):$(HOME)/.cargo/bin

TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
SPALLA := $(TARGET_DIR)/debug/spalla

# In CI the lock file is the truth; at the desk a new dependency may still change it.
LOCKED := $(if $(CI),--locked)

# What is built once needs no notes on how to build it a little differently.
ifdef CI
export CARGO_INCREMENTAL := 0
endif

# What a bench measures beside ourselves.
MEASURED := $(if $(PEERS),peers,raw)

# Says how long a step took.
timed := ./scripts/timed.sh

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z -]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build:
	./scripts/setup-build.sh
	cargo build $(LOCKED) --bin spalla

demo: build ## Take a sample repository through build, test, package and an approved deploy
	$(SPALLA) demo
	@printf '\nThe binary is %s; `%s --help` lists its commands.\n' '$(SPALLA)' '$(SPALLA)'

up: build ## Start the server with its worker and its page in the background, and print its link
	./scripts/background.sh start server $(SPALLA)

down: ## Stop what `make up` started, once its runs have ended; no error where nothing runs
	./scripts/background.sh stop server $(SPALLA)

dev: build ## The same server at this terminal, saying more, until Ctrl-C
	$(SPALLA) up --verbose

seed: build ## Make sample data on the server that is up; twice does no harm
	$(SPALLA) demo seed

agent: build ## Run a worker for the server at this terminal, until Ctrl-C
	$(SPALLA) worker

up-agent: build ## Start such a worker in the background
	./scripts/background.sh start worker $(SPALLA)

down-agent: ## Stop the worker that `make up-agent` started
	./scripts/background.sh stop worker $(SPALLA)

demo-aws demo-gcp demo-azure: demo-%: build ## Make a work item that asks for the keys of that cloud
	$(SPALLA) demo $*

codex-up: up ## For agent CLIs, the same as up; codex.yaml has more
codex-agent: up-agent ## For agent CLIs, the same as up-agent
codex-demo-aws: demo-aws ## For agent CLIs, the same as demo-aws
codex-demo-gcp: demo-gcp ## For agent CLIs, the same as demo-gcp
codex-demo-azure: demo-azure ## For agent CLIs, the same as demo-azure

codex-test: build ## For agent CLIs: the task codex-test of codex.yaml
	$(SPALLA) task codex-test

check: ## Format, lints, tidy and unit tests: before every commit
	$(MAKE) lints
	cargo test $(LOCKED) --workspace --lib --bins

test: ## Everything CI runs: installs what tests need, then all checks and all tests on both databases
	./scripts/timed.sh --begin
	$(timed) setup ./scripts/setup-build.sh
	$(timed) setup-test ./scripts/setup-test.sh
	$(timed) setup-agents ./scripts/setup-agents.sh
	$(timed) lints $(MAKE) lints
	$(timed) dependencies ./scripts/check-dependencies.sh
	$(timed) build cargo test $(LOCKED) --workspace --all-targets --no-run
	$(timed) build-agents cargo test $(LOCKED) --workspace --test agents --no-run
	$(MAKE) --jobs=2 --output-sync=line test-all test-proofs

# The two halves of what is run once everything is built: each waits more than it computes, so they go side by side.
test-all:
	$(timed) test cargo test $(LOCKED) --workspace --all-targets
	$(timed) api-sqlite env SPALLA_TEST_STORE=sqlite cargo test $(LOCKED) --workspace --test api
	$(timed) api-postgres env SPALLA_TEST_STORE=postgres cargo test $(LOCKED) --workspace --test api
	$(MAKE) test-agents

test-proofs:
	$(timed) sample-app ./scripts/check-sample-app.sh
	$(timed) api-document ./scripts/check-api.sh $(SPALLA)
	$(MAKE) prove

lints:
	cargo fmt --all --check
	cargo clippy $(LOCKED) --workspace --all-targets -- -D warnings
	cargo clippy $(LOCKED) --workspace --test agents -- -D warnings
	cargo xtask tidy

# Built first, because cargo may want the network for it, and the tests must do without.
test-agents: ## Install the real agent CLIs with npm and let them work for a model that is played
	$(timed) setup-agents ./scripts/setup-agents.sh
	$(timed) build-agents cargo test $(LOCKED) --workspace --test agents --no-run
	$(timed) agents ./scripts/without-network.sh cargo test $(LOCKED) --offline --workspace --test agents

prove: ## Simulate, plant bugs, kill and soak, as far as it fits into CI; docs/promises.md says how to do more
	./scripts/setup-test.sh
	$(timed) sim cargo xtask sim --schedules 100000 --json
	$(timed) sim-sqlite cargo xtask sim --schedules 2000 --store sqlite --json
	$(timed) sim-postgres cargo xtask sim --schedules 500 --store postgres --json
	$(timed) planted-bugs cargo xtask planted-bugs --json
	$(timed) soak-sqlite cargo xtask soak --kills 20 --store sqlite --json
	$(timed) soak-postgres cargo xtask soak --kills 20 --store postgres --json
	$(timed) crash-points cargo xtask crash-points --rounds 1 --json

bench: ## Measure our store beside the raw limits, in a release build; PEERS=1 measures other queues as well
	./scripts/setup-build.sh
	./bench/peers/setup.sh $(MEASURED)
	cargo build $(LOCKED) --release --bin spalla-proof
	SPALLA_BENCH='$(abspath $(TARGET_DIR))/release/spalla-proof bench' ./bench/peers/run.sh $(MEASURED)
	cargo xtask goals $(TARGET_DIR)/bench-peers/results.jsonl
