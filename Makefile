# `make` lists the verbs. `make test` is what CI runs, and all that it runs.
SHELL := /bin/bash
export PATH := $(PATH):/usr/local/go/bin

GO ?= go
FUZZTIME ?= 10s
COUNT ?= 20
BENCH_SECONDS ?= 3
BENCH_ROUNDS ?= 5
BENCH_ONLY ?=
PATHS ?=
LINT := bin/golangci-lint

.DEFAULT_GOAL := help
.PHONY: help build test deps race checks fuzz lint generate bench paths pgo microbench check soak

help: ## list the verbs
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

build: ## build bin/ringnfs
	$(GO) build -o bin/ringnfs ./cmd/ringnfs

test: ## install what the tests need, and run them all: what CI does
	@.ci/deps
	@.ci/test

deps: ## install what the tests need, and nothing else
	@.ci/deps

race: ## run the tests under the race detector
	@.ci/test race

checks: ## run the tests with the assertions of uring/checks
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

paths: ## measure the bare ways of data between file and socket, under 3 minutes
	$(GO) run ./bench/paths $(PATHS)

pgo: ## make the profile that the compiler optimises ringnfs by, under a minute of load
	@.ci/pgo

microbench: ## run the Go benchmarks
	$(GO) test -run '^$$' -bench . -benchmem ./...

check: ## before a commit: build, vet, lint, and the tests that need no other program
	@.ci/test vet unit lint

soak: ## run the tests COUNT (20) times over, in random order, race detector and assertions on
	$(GO) test -race -tags checks -shuffle on -count $(COUNT) -timeout 4h ./...
	RINGNFS_REQUIRE=1 $(GO) test -tags interop -count $(COUNT) -timeout 8h ./nfs/interop -run 'Restart|Idle'
