# Strait. `make help` lists the targets.

GO            ?= go
BIN           := bin/strait
GOLANGCI_VER  := v2.15.0
TOOLS         := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/strait-tools
GOLANGCI      := $(TOOLS)/golangci-lint-$(GOLANGCI_VER)
VERSION       ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS       := -s -w -X github.com/strait-sts/strait/internal/cli.version=$(VERSION)
FUZZTIME      ?= 10s
BENCHTIME     ?= 1s
PORTS         ?=
ONCE          ?=
ROUNDS        ?= 1000
RECORDS       ?= 10000000

.DEFAULT_GOAL := help
.PHONY: help demo build run test race short mutate killtest fuzz bench bench-audit bench-replay bench-records bench-revoke revoketest lint verify generate postgres tools clean ci

##@ Demo
demo: build postgres ## one real token exchange, end to end; ONCE=1 exits after the story, PORTS=free picks free ports
	$(GO) run ./examples/demo $(if $(ONCE),--once) $(if $(PORTS),--ports=$(PORTS))

##@ Run and build
build: ## build bin/strait
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/strait
run: build postgres ## strait serve with its own PostgreSQL in .strait
	$(BIN) serve

##@ Test
test: postgres ## every test, with the race detector, on a real PostgreSQL
	$(GO) test -race -timeout 20m ./...
race: test ## the same: the race detector is always on
short: postgres ## every test without the race detector: quicker while writing
	$(GO) test ./...
killtest: postgres ## SIGKILL the binary (and its PostgreSQL) under load ROUNDS times (default 1000): no token without its record
	$(GO) test ./internal/app -run '^TestKilledStraitLosesNoAnsweredRecord$$' -count 1 -v -timeout 60m -args -kill-rounds $(ROUNDS)
revoketest: postgres ## ROUNDS (default 1000) races of exchanges against a revocation on two replicas: no child escapes
	$(GO) test ./internal/app -run '^TestNoChildEscapesARevocation$$' -count 1 -v -timeout 60m -args -revoke-rounds $(ROUNDS)
mutate: ## turn each comparison of the engine, one at a time: a test must turn red (half an hour)
	$(GO) test ./internal/policy -run '^TestEveryMutantIsCaught$$' -count 1 -v -timeout 3h -args -mutate .
fuzz: ## each fuzz target for FUZZTIME (default 10s)
	./scripts/fuzz.sh $(FUZZTIME)
bench: postgres ## the whole exchange beside the bare cryptography, a decision with 10 and 10,000 policies, lint and reach; as ratios in one run
	./scripts/bench.sh $(BENCHTIME)
bench-audit: postgres ## the whole exchange with durable records beside a null recorder, on a disk; pg_test_fsync beside it
	./scripts/bench-audit.sh
bench-revoke: postgres ## what revocations cost: a million ids beside none, another replica, orders over RECORDS records (default 10 million)
	./scripts/bench-revoke.sh $(RECORDS)
bench-replay: ## 100,000 recorded requests decided again, and what keeping claims costs an exchange
	$(GO) test ./internal/rehearsal/replay -run XXX -bench Replay -benchtime 3x
	$(GO) test ./internal/rehearsal/replay -run XXX -bench Record -benchtime 100000x
bench-records: postgres ## the first page of every filter over RECORDS records (default 10 million)
	./scripts/bench-records.sh $(RECORDS)

##@ Check
lint: $(GOLANGCI) ## gofmt, go vet and the chosen linters
	$(GOLANGCI) run ./...
verify: ## generated files are fresh, the layout holds, the module file is tidy, the container files are sound
	./scripts/verify.sh
generate: ## write the generated file docs/rfc8693.md from the table of internal/conformance
	$(GO) test ./internal/conformance -run '^TestConformancePageIsFresh$$' -count 1 -args -update

##@ Tools
postgres: ## PostgreSQL's programs, installed where that is allowed
	@./scripts/postgres.sh
tools: $(GOLANGCI) ## the pinned tools, into the user's cache folder
$(GOLANGCI):
	GOBIN=$(TOOLS)/new $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VER)
	mv $(TOOLS)/new/golangci-lint $@
clean: ## remove what was built; data and keys stay
	rm -rf bin
ci: ## what CI runs
	bash .ci/run

help: ## this list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
