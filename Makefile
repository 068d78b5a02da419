# `make` lists the verbs. `make test` is what CI runs, and all that it runs.
SHELL := /bin/bash
export PATH := $(PATH):/usr/local/go/bin

GO ?= go
FUZZTIME ?= 10s
COUNT ?= 20
BENCH_SECONDS ?= 3
BENCH_ROUNDS ?= 5
BENCH_ONLY ?=
INSTRUCTIONS ?=
PATHS ?=
PREFIX ?= /usr/local
DESTDIR ?=
LINT := bin/golangci-lint

.DEFAULT_GOAL := help
.PHONY: help build install test deps race checks fuzz lint generate bench instructions instructions-check paths pgo microbench check soak

help: ## list the verbs
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 27

build: ## build bin/ringnfs
	$(GO) build -o bin/ringnfs ./cmd/ringnfs

install: build ## install bin/ringnfs, its manual pages and completions below PREFIX (/usr/local)
	install -D -m 755 bin/ringnfs $(DESTDIR)$(PREFIX)/bin/ringnfs
	bin/ringnfs man $(DESTDIR)$(PREFIX)/share/man/man1
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions $(DESTDIR)$(PREFIX)/share/zsh/site-functions $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
	bin/ringnfs completion bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/ringnfs
	bin/ringnfs completion zsh > $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_ringnfs
	bin/ringnfs completion fish > $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/ringnfs.fish

test: ## install what the tests need, and run them all: what CI does
	@.ci/deps
	@.ci/test

deps: ## install what the tests need, and nothing else
	@.ci/deps

race: ## run the tests under the race detector, with the assertions of uring/checks
	@.ci/test race

checks: ## run the tests with the assertions alone
	@.ci/test checks

fuzz: ## fuzz every target for FUZZTIME (10s)
	@.ci/fuzz $(FUZZTIME)

lint: $(LINT) ## golangci-lint, with the import layers
	@.ci/test lint

$(LINT): .ci/tools/go.mod .ci/tools/go.sum
	cd .ci/tools && $(GO) build -o ../../$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

generate: ## regenerate what is generated; the tree must be clean afterwards
	$(GO) generate ./...

bench: ## compare NFS servers, and write the result to bench/results
	$(GO) run ./bench -seconds $(BENCH_SECONDS) -rounds $(BENCH_ROUNDS) -only '$(BENCH_ONLY)'

instructions: ## compare NFS servers by instructions for each call, and write the report to bench/results
	@.ci/deps instructions
	$(GO) run ./bench/instructions -report $(INSTRUCTIONS)

instructions-check: ## fail if a call costs ringnfs over 3 % more instructions than recorded: some minutes
	@.ci/deps instructions
	$(GO) run ./bench/instructions -check $(INSTRUCTIONS)

paths: ## measure the bare ways of data between file and socket, under 3 minutes
	$(GO) run ./bench/paths $(PATHS)

pgo: ## make the profile that the compiler optimises ringnfs by, under a minute of load
	@.ci/pgo

microbench: ## run the Go benchmarks
	$(GO) test -run '^$$' -bench . -benchmem ./...

check: ## before a commit, under two minutes: build, vet, lint, and the tests that need no running server
	@.ci/test quick

soak: ## run the tests COUNT (20) times in random order with all checks, 1000 crashes, and the full matrix of workloads
	RINGNFS_MATRIX=full $(GO) test -race -tags checks -shuffle on -count $(COUNT) -timeout 4h ./...
	RINGNFS_CRASHES=1000 $(GO) test -count 1 -timeout 8h ./nfs/endtoend -run TestACrashLosesNoChange
	RINGNFS_REQUIRE=1 RINGNFS_MATRIX=full $(GO) test -tags interop -count $(COUNT) -timeout 8h ./nfs/interop -run 'Restart|Idle'
	RINGNFS_REQUIRE=1 RINGNFS_MATRIX=full $(GO) test -tags interop -timeout 8h ./nfs/interop -run 'Workload|Lists|Credentials'
