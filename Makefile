# Postledger's tasks. `make help` is the manual.

CARGO ?= cargo
POSTLEDGER = target/release/postledger
TOOLS = .tools/bin
# How many cases `make fuzz` tries, how many examples of each operation `make fuzz-api`, how many events `make soak` and
# `make sim` have, what makes one simulation differ from another, and how often `make cold-start` starts each function.
CASES ?= 200000
EXAMPLES ?= 1000
EVENTS ?= 1000000
EVENTS_AWS ?= 50000
EVENTS_BLAST ?= 100000
EVENTS_SIM ?= 1000000
KILLS ?= 250
EVENTS_DISK ?= 100000
SEED ?= 1
STARTS ?= 21
# How many rows the suppression lists of `make reconcile-memory`, `make api-speed` and `make page-speed` have.
ROWS ?= 1000000
# The release of crawler-user-agents that `make crawlers` takes.
CRAWLERS ?= 1.67.0
# What `make deploy` deploys to: an environment of infra/samconfig.toml.
ENV ?= us-prod
# Where `make local` listens, and what `make build` builds for (x86_64 or arm64).
PORT ?= 8631
ARCH ?= x86_64
# The functions: every folder in functions/ is one. Built without commands and tests, so that they have no feature of theirs.
FUNCTIONS = $(patsubst functions/%/Cargo.toml,--package %,$(wildcard functions/*/Cargo.toml))
LAMBDA = PATH="$(CURDIR)/.tools/sam/bin:$$PATH" $(CARGO) lambda build --locked $(FUNCTIONS)
# Without AWS, and as quickly built as may be; in a folder of its own, so that the whole command line stays as it is.
EMBEDDED = $(CARGO) run --locked --profile embedded --target-dir target/run --package postledger --no-default-features --
# Whom alarms reach: somebody who is woken, and whoever looks in the morning.
TOPICS = $(if $(PAGE_TOPIC),--page-topic $(PAGE_TOPIC)) $(if $(TICKET_TOPIC),--ticket-topic $(TICKET_TOPIC))
# What is tested and linted: the members, and the simulator, which is a workspace of its own. Named beside the members it is
# built with the features that they ask for; by itself it compiles its dependencies anew, as `make likeness` does.
EVERYTHING = --package '*' --package postmark-simulator
SIMULATOR = tests/simulator
LIKENESS = $(SIMULATOR)/likeness
# Lints what it compiles, as `cargo clippy` does; but code is made too, so that dependencies are compiled once for lints and
# tests. (cargo counts its own jobs: it would take the two of `make test` for all that it may have.)
LINTED = env -u MAKEFLAGS RUSTC_WORKSPACE_WRAPPER=clippy-driver \
	CLIPPY_ARGS='-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__' $(CARGO)
# Many tests wait, for a process or an emulator: twice as many at once as there are cores.
export RUST_TEST_THREADS ?= $(shell echo $$((2 * $$(getconf _NPROCESSORS_ONLN))))
CLIENTS = tests/api/clients
# The portal as people see it, with the program as it is tested: nothing of it is compiled anew for this.
BROWSERS = .tools/browser/bin/python tests/browser/run.py --postledger target/debug/postledger
PIP_INSTALL = -m pip install --quiet --disable-pip-version-check --require-hashes --requirement

.PHONY: help run demo install check local local-stop local-status test lint compile lint-templates functions build deploy adopt rollback releases rust aws node sam api-tools client-tools browser-tools browser-checks browsers picture likeness clients soak soak-aws soak-disk disk-speed blast sim sim-faults cost \
	api-speed page-speed reconcile-memory body-memory crawlers cold-start throughput oracle fuzz fuzz-api openapi dictionary audit clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## the whole ledger in one process on 127.0.0.1:8630, with a sample at first; it is kept in data/ (ARGS="--port 9000")
	$(EMBEDDED) run --data data --sample $(ARGS)

demo: ## as `make run`, but once: post the sample, show the ledger, exit
	$(EMBEDDED) run --once --port 0

install: ## the command line, AWS included, to where cargo keeps programs: then it is `postledger`
	$(CARGO) install --locked --path infra/cli

local: rust aws sam functions ## the deployed stack on this machine: the real template and binaries in an emulator of AWS, with a sample (PORT=)
	$(CARGO) build --locked --release --package postledger
	@python3 infra/local/stack.py up --port $(PORT)

local-stop: ## end what `make local` started; what it took in is gone
	@python3 infra/local/stack.py down

local-status: ## whether `make local` is up, and where
	@python3 infra/local/stack.py status

test: ## formatting, lints, and every test of every crate that needs no Node (ARGS="--test deployed": a part)
	@# What is installed is fetched while the tests compile.
	@$(MAKE) --no-print-directory --jobs=2 compile lint-templates aws api-tools browser-tools
	$(LINTED) test --locked $(EVERYTHING) $(ARGS)

browsers: browser-tools ## the portal in a real browser, every page as every role under every setting, and every journey (ARGS="--only recipient")
	$(LINTED) build --locked $(EVERYTHING) --bin postledger
	$(BROWSERS) --tier full $(ARGS)

picture: browser-tools ## the picture of the README: a recipient's page of the sample, into docs/recipient.png
	$(LINTED) build --locked $(EVERYTHING) --bin postledger
	$(BROWSERS) --only the_picture
	python3 tests/browser/picture.py target/browser/recipient.png docs/recipient.png

browser-checks: browser-tools ## the portal's tests by themselves: each check passes good pages and fails bad ones, in a real browser; no product is needed
	.tools/browser/bin/python tests/browser/self_test.py $(ARGS)

likeness: node ## the simulator by itself, by its own lock: its tests, and its likeness with Postmark by Postmark's own client
	$(LINTED) test --locked --manifest-path $(SIMULATOR)/Cargo.toml --target-dir target
	$(LINTED) test --locked --manifest-path $(SIMULATOR)/Cargo.toml --target-dir target --test likeness

clients: client-tools ## the read API's clients that need Node: the JavaScript example, and one generated for TypeScript
	$(LINTED) test --locked $(EVERYTHING) --test clients

check: compile ## what takes seconds once it is built: formatting, lints, and the tests of each crate alone
	$(LINTED) test --locked $(EVERYTHING) --lib

lint: compile lint-templates ## formatting and lints, without a warning, of tests, templates and the program without AWS too
	@# Without AWS it is looked at only: other features would have every dependency compiled anew.
	$(CARGO) clippy --locked --package postledger --no-default-features -- --deny warnings

# Everything that is tested, and so linted.
compile:
	@$(CARGO) fmt --version >/dev/null 2>&1 && clippy-driver --version >/dev/null 2>&1 || rustup component add rustfmt clippy
	$(CARGO) fmt --all --check
	$(CARGO) fmt --manifest-path $(SIMULATOR)/Cargo.toml --check
	$(LINTED) build --locked $(EVERYTHING)
	$(LINTED) test --locked $(EVERYTHING) --no-run

lint-templates: sam ## the templates of CloudFormation, for both regions
	.tools/sam/bin/cfn-lint --regions us-east-1 eu-west-1 --template infra/app.yaml infra/ops.yaml
	cd infra && for template in app.yaml ops.yaml; do \
		SAM_CLI_TELEMETRY=0 ../.tools/sam/bin/sam validate --lint --region us-east-1 --template $$template || exit; done

functions: sam ## the functions, for this machine's own use: `make local`
	$(LAMBDA) --release --compiler cargo

build: .tools/sam/zig ## what is deployed: the functions for Amazon Linux 2023 (ARCH=arm64), and the command line, AWS included
	$(LAMBDA) --profile deployed $(if $(filter arm64,$(ARCH)),--arm64)
	$(CARGO) build --locked --release --package postledger

deploy: build ## deploy to AWS by your access there, alarms and dashboard included (ENV=us-prod, ARCH=, PAGE_TOPIC=, TICKET_TOPIC=)
	.tools/sam/bin/python infra/deploy.py $(ENV) --set Architecture=$(ARCH) $(TOPICS)

adopt: build ## as deploy, for a stack that was deleted: the new one takes its tables and queues over (ENV=, ARCH=, PAGE_TOPIC=, TICKET_TOPIC=)
	.tools/sam/bin/python infra/deploy.py $(ENV) --set Architecture=$(ARCH) --adopt $(TOPICS)

rollback: sam ## deploy the release before the live one again: no build, about a minute (ENV=, TO= a name of `make releases`)
	.tools/sam/bin/python infra/deploy.py $(ENV) --rollback $(if $(TO),--to $(TO))

releases: sam ## the releases of a stack that are kept, and which is live (ENV=)
	.tools/sam/bin/python infra/deploy.py $(ENV) --list

rust:
	@command -v $(CARGO) >/dev/null || { echo "Rust is needed: https://rustup.rs, then this again" >&2; exit 1; }

aws: .tools/aws/ready ## what tests need of AWS: an emulator, into .tools (Python 3.10 or later; once)

api-tools: .tools/api/ready ## what the read API's description is tried with in Python: schemathesis and a generator of clients, into .tools (once)

client-tools: api-tools .tools/clients/ready ## what `make clients` needs: Node, and what generates and compiles a TypeScript client, into .tools (once)

node: .tools/node/postmark ## what `make likeness` needs: Node and Postmark's own client, into .tools (once)

sam: .tools/sam/ready ## what builds, checks and deploys: cargo-lambda, cfn-lint and AWS's sam, into .tools (once)

browser-tools: .tools/browser/ready .tools/chromium/ready ## what the portal is looked at with: Playwright, axe-core and a Chromium, into .tools (once)

.tools/aws/ready: infra/local/requirements.txt
.tools/api/ready: tests/api/requirements.txt
.tools/sam/ready: infra/requirements.txt
.tools/node/ready: $(LIKENESS)/requirements.txt
.tools/browser/ready: tests/browser/requirements.txt
.tools/aws/ready .tools/api/ready .tools/sam/ready .tools/node/ready .tools/browser/ready:
	@python3 -c 'import sys, venv; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "Python 3.10 or later with venv is needed (Debian: apt install python3-venv)" >&2; exit 1; }
	python3 -m venv --clear $(@D)
	$(@D)/bin/python $(PIP_INSTALL) $< --no-deps
	@touch $@

.tools/chromium/ready: tests/browser/install.py .tools/browser/ready
	.tools/browser/bin/python $< $(@D)
	@touch $@

.tools/node/postmark: .tools/node/ready $(addprefix $(LIKENESS)/,package.json package-lock.json .npmrc)
	cp $(filter-out $<,$^) $(@D)
	cd $(@D) && PATH="$$PWD/bin:$$PATH" bin/npm ci --prefer-offline --loglevel=error
	@touch $@

.tools/clients/ready: .tools/node/ready $(addprefix $(CLIENTS)/,package.json package-lock.json .npmrc)
	@mkdir -p $(@D)
	cp $(filter-out $<,$^) $(@D)
	cd $(@D) && PATH="$(CURDIR)/.tools/node/bin:$$PATH" npm ci --prefer-offline --loglevel=error
	@touch $@

.tools/sam/zig: .tools/sam/ready infra/requirements-zig.txt
	.tools/sam/bin/python $(PIP_INSTALL) infra/requirements-zig.txt
	@touch $@

soak: ## a million events through door and consumers while everything goes wrong; must equal `postledger fold` (EVENTS=)
	$(CARGO) build --locked --release --package postledger --package postledger-tests
	target/release/soak --events $(EVENTS) --postledger $(POSTLEDGER)

soak-aws: aws ## 50,000 events through SQS, consumers that are killed and DynamoDB, while calls go wrong on the wire (EVENTS_AWS=)
	$(CARGO) build --locked --release --workspace --bins
	target/release/soak-aws --events $(EVENTS_AWS)

soak-disk: ## a million events over HTTP into a ledger in a folder whose process is killed 250 times; must equal `postledger fold` (EVENTS=, KILLS=)
	$(CARGO) build --locked --release --package postledger --package postledger-tests
	target/release/soak-disk --events $(EVENTS) --kills $(KILLS) --postledger $(POSTLEDGER)

disk-speed: ## a ledger in a folder beside one in memory and bare SQLite: events a second, waits, growth, start, memory (EVENTS_DISK=)
	$(CARGO) build --locked --release --package postledger --package postledger-tests
	target/release/disk-speed --events $(EVENTS_DISK) --postledger $(POSTLEDGER)

sim: ## a month of a busy agency under each generation of Postmark's rules, while much goes wrong; nothing may be missing (EVENTS_SIM=, SEED=)
	$(CARGO) build --locked --release --package postledger-tests --bin sim
	target/release/sim --events $(EVENTS_SIM) --seed $(SEED)

sim-faults: ## each of its faults alone, as a table: events hit, lost, doubled, recovered by whom and how soon (SEED=)
	$(CARGO) build --locked --release --package postledger-tests --bin sim
	target/release/sim --faults --events 20000 --seed $(SEED)

blast: ## how many transactions conflict where ten consumers take 100,000 events of one stream's hour, and that it is few (EVENTS_BLAST=)
	$(CARGO) build --locked --release --package postledger-tests --bin blast
	target/release/blast --events $(EVENTS_BLAST)

cost: ## calls, request units, bytes and CPU time of an event in the consumer, by kind and batch
	$(CARGO) build --locked --release --workspace --bins
	target/release/cost

api-speed: ## a check of 1,000 and of 10,000 addresses, and a million suppressions page by page: time, memory and calls of the read API (ROWS=)
	$(CARGO) build --locked --release --package api
	$(CARGO) build --locked --release --package postledger-tests --bin api-speed
	target/release/api-speed --rows $(ROWS) --binary target/release/api

page-speed: aws ## warm pages of the portal, of an agency with 1,000 servers and a million suppressions: time, weight and calls; its start beside the read API's (ROWS=)
	$(CARGO) build --locked --release --package api --package portal
	$(CARGO) build --locked --release --package postledger-tests --bin page-speed
	target/release/page-speed --rows $(ROWS) --functions target/release

reconcile-memory: ## memory and time of reconcile over a suppression list of a million rows (ROWS=)
	$(CARGO) build --locked --release --package reconcile
	$(CARGO) build --locked --release --package postledger-tests --bin reconcile-memory
	target/release/reconcile-memory --rows $(ROWS) --binary target/release/reconcile

body-memory: ## the most memory that an ingest function needs for the heaviest bodies of 6 MB
	$(CARGO) build --locked --release --package ingest-bounce
	$(CARGO) build --locked --release --package postledger-tests --bin body-memory
	target/release/body-memory --binary target/release/ingest-bounce

crawlers: ## take the list of crawlers' user agents from a release of crawler-user-agents on PyPI (CRAWLERS=)
	python3 shared/ledger/crawlers/update.py $(CRAWLERS)

cold-start: ## init, first answer at 256 MB's share of CPU, warm CPU and memory of every function over TLS, beside peers (STARTS=)
	$(CARGO) build --locked --release --package postledger-tests --bin cold-start
	$(CARGO) build --locked --profile deployed $(FUNCTIONS)
	$(CARGO) build --locked --release --manifest-path tests/peers/Cargo.toml --target-dir target/peers
	nice -n -20 target/release/cold-start --starts $(STARTS)

throughput: ## webhooks a second through the emulator of `make local`, which must be up, beside a bare function
	$(CARGO) build --locked --release --manifest-path tests/peers/Cargo.toml --target-dir target/peers
	.tools/sam/bin/python tests/throughput.py

oracle: ## the tables' contract against DynamoDB Local instead of the emulator (needs Java and npm; see infra/local)
	bash infra/local/oracle.sh .tools/oracle $(CARGO) test --locked --package postledger-tests --test aws tables_with

fuzz: ## many hostile bodies at the door (CASES=)
	POSTLEDGER_FUZZ_CASES=$(CASES) $(CARGO) test --locked --release --package postledger-tests --test acceptance fuzz_

fuzz-api: api-tools ## the read API by its own description, with many examples of each operation (EXAMPLES=, SEED=)
	POSTLEDGER_FUZZ_EXAMPLES=$(EXAMPLES) POSTLEDGER_FUZZ_SEED=$(SEED) \
		$(CARGO) test --locked --release --package postledger-tests --test acceptance api_fuzz -- --nocapture

openapi: ## write the read API's description anew: what people wrote of it, and the types that are answered
	POSTLEDGER_WRITE_OPENAPI=1 $(CARGO) test --locked --workspace --lib openapi::

dictionary: ## train a dictionary for the bodies in items, from the fixtures, into target/dictionary.bin
	$(CARGO) run --locked --release --package store --example dictionary -- target/dictionary.bin

audit: $(TOOLS)/cargo-deny ## licences, bans and sources of all dependencies, the simulator's too (installs cargo-deny into .tools once)
	$(TOOLS)/cargo-deny --locked check bans licenses sources
	@# It has few of the licences that are allowed.
	$(TOOLS)/cargo-deny --locked --config deny.toml --manifest-path $(SIMULATOR)/Cargo.toml check \
		--allow license-not-encountered bans licenses sources

$(TOOLS)/cargo-deny:
	$(CARGO) install --locked --root .tools cargo-deny@0.20.2

clean: ## remove all that was built or installed here
	$(CARGO) clean
	rm -rf $(SIMULATOR)/target .tools
