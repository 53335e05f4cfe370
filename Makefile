# What people do with this tree. `make help` lists it; the extension itself is built by extension.mk, the rest by CMakeLists.txt.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

PG_CONFIG ?= pg_config
BUILD ?= build
PREFIX ?= /usr/local
# Not all cores by default: a compiler of these headers takes up to 1 GB, and a small machine swaps.
JOBS ?= $(shell n=$$(nproc); [ $$n -gt 8 ] && n=8; echo $$n)

MAKEFLAGS += --no-print-directory
export PG_CONFIG BUILD

# Debian packages by their names: what building needs, what tests and checks need beside, and what only the long tests do.
PG_MAJOR ?= 15
packages = build-essential cmake pkg-config postgresql-$(PG_MAJOR) postgresql-server-dev-$(PG_MAJOR) postgresql-$(PG_MAJOR)-cron libpq-dev libkrb5-dev libssl-dev \
	nlohmann-json3-dev libcurl4-openssl-dev libfyaml-dev libcli11-dev libspdlog-dev libhiredis-dev prometheus-cpp-dev libboost1.81-dev python3 python3-yaml python3-psycopg procps util-linux
packages_of_tests = libgtest-dev openssl postgresql-$(PG_MAJOR)-pgtap postgresql-$(PG_MAJOR)-plpgsql-check libtap-parser-sourcehandler-pgtap-perl \
	clang-format-16 clang-tidy-16 shellcheck python3-mypy python3-pyflakes redis-server pgbouncer curl jq python3-jsonschema prometheus python3-prometheus-client chromium
packages_of_soak = clang-16 libclang-rt-16-dev xxd sqlsmith
packages_of_bench = jq redis-server iproute2
# Node and npm are Debian's only where nobody else has brought them: worker-client/typescript/build looks for one of 20 or newer.
wanted = $(packages) $(packages_of_tests) $(if $(shell command -v npm),,nodejs npm)
deps-soak: wanted += $(packages_of_soak)
deps-bench: wanted += $(packages_of_bench)

as_root = $(if $(filter 0,$(shell id -u)),,sudo)
# Only where somebody else owns the place: a PostgreSQL of one's own, or a DESTDIR, needs no rights.
to_install = $(if $(DESTDIR),,$(shell [ -w "$$($(PG_CONFIG) --pkglibdir)" ] && [ -w "$$($(PG_CONFIG) --sharedir)/extension" ] && [ -w "$(PREFIX)/bin" ] || echo $(as_root)))

all: extension programs tests  ## build the extension, the orch command, the HTTP bridge, the client library and the unit tests

help:  ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' Makefile | expand -t 20

deps:  ## install the Debian packages that building and testing need
deps-soak:  ## those and what fuzzing needs
deps-bench:  ## those and what the benchmarks need; their peers come from npm when they are run
deps deps-soak deps-bench:
	@missing=$$({ dpkg-query -W -f='$${Package} $${db:Status-Abbrev}\n' $(wanted) 2>/dev/null || true; } | awk '$$2 == "ii" {print $$1}' | sort -u \
		| comm -13 - <(printf '%s\n' $(wanted) | sort -u)); \
	if [ -z "$$missing" ]; then echo "all packages are here"; exit 0; fi; \
	$(as_root) apt-get -qq -o DPkg::Lock::Timeout=300 update; \
	$(as_root) env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends $$missing

extension:
	@$(MAKE) $(if $(findstring -j,$(MAKEFLAGS)),,-j$(JOBS)) -f extension.mk all

programs: $(BUILD)/cmake/CMakeCache.txt
	@cmake --build $(BUILD)/cmake -j $(JOBS) --target orch_cli orch_bridge -- --quiet
	@http-bridge/docs-ui/build $(BUILD)/share/orch/bridge
	@http-bridge/dashboard/build $(BUILD)/share/orch/bridge

tests: programs
	@cmake --build $(BUILD)/cmake -j $(JOBS) -- --quiet

$(BUILD)/cmake/CMakeCache.txt: CMakeLists.txt
	@cmake -S . -B $(BUILD)/cmake -DCMAKE_RUNTIME_OUTPUT_DIRECTORY=$(abspath $(BUILD))/bin $(if $(filter yes,$(werror)),-DCMAKE_COMPILE_WARNING_AS_ERROR=ON) > /dev/null
	@touch $@

# Under a lock, since two trees of one machine share pg_config's folders.
install: extension programs  ## install into pg_config's folders; orch, orch-bridge, the library and its headers into $(PREFIX)
	@flock $${TMPDIR:-/tmp}/orch-install.$$(id -u).lock $(to_install) $(MAKE) -f extension.mk install BUILD=$(BUILD) PG_CONFIG=$(PG_CONFIG) > /dev/null
	@$(to_install) env DESTDIR=$(DESTDIR) cmake --install $(BUILD)/cmake --prefix $(PREFIX) > /dev/null
	@echo "installed into $(DESTDIR)$$($(PG_CONFIG) --pkglibdir) and $(DESTDIR)$(PREFIX)"

typescript:  ## build the TypeScript client and its examples
	@worker-client/typescript/build

check: install tests typescript  ## run every test; `make check TEST=name` runs those whose names hold it
	@test/run $(TEST)

soak: deps-soak install  ## the long tests: big graphs, held snapshots, fuzzing; `make soak TEST=name`
	@test/run --soak $(TEST)

bench: deps-bench install  ## orch beside its peers, some fifteen minutes; bench/results/latest.md
	@bench/run $(BENCH)

bench-full: deps-bench install  ## all peers, a million runs, ten million behind them: hours
	@bench/run -f $(BENCH)

drill: install  ## kill all workers while runs are active, and report from the history how each task came back
	@test/drill

demo: deps  ## a workflow from nothing to its end, with a worker killed in the middle
	@$(MAKE) install
	@examples/demo/run

demo-dead-letter: deps  ## a task that fails for good: dead-lettered, shown, mended, redriven
	@$(MAKE) install
	@examples/demo/dead-letter

demo-stop:  ## stop the demo's cluster and workers and remove them
	@examples/demo/stop

sources = $(shell git ls-files '*.cpp' '*.hpp')

format:  ## put all C++ into the one format
	@clang-format-16 -i $(sources)

lint: programs  ## formatting, clang-tidy, shellcheck, and the types of the Python client
	@test/lint

hooks:  ## before each commit: the format of what is staged and the quick tests
	@git config core.hooksPath test/hooks
	@echo "git runs test/hooks/pre-commit before each commit from now on"

clean:  ## remove what was built
	@rm -rf $(BUILD)

.PHONY: all help deps deps-soak deps-bench extension programs tests install typescript check soak bench bench-full drill demo demo-dead-letter demo-stop format lint hooks clean
.DEFAULT_GOAL := all

