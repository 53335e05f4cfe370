# The extension by PGXS: the library of extension/**/*.cpp (core included) and the install script made of sql/.
# Run from the root of the tree: `make -f extension.mk [install]`; the root Makefile does. Everything made lies below $(BUILD).

BUILD ?= build
PG_CONFIG ?= pg_config

orch_version := $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" orch.control)
$(if $(orch_version),,$(error no default_version in orch.control))

EXTENSION = orch
MODULES = $(BUILD)/orch
DATA_built = $(BUILD)/orch--$(orch_version).sql
DATA = $(wildcard sql/upgrade/orch--*.sql)

objects := $(patsubst %.cpp,%.o,$(shell extension/units $(BUILD)/units))
parts := $(wildcard sql/header.sql) $(sort $(wildcard sql/tables/*.sql)) $(sort $(wildcard sql/functions/*.sql)) $(sort $(wildcard sql/views/*.sql))

# PGXS makes bitcode without PG_CXXFLAGS, so C++20 fails in it; and nothing here is inlined into queries.
override with_llvm = no

PG_CXXFLAGS = -std=c++20 -O2 -g -fPIC -fno-strict-aliasing -fno-omit-frame-pointer -Wall -Wextra -Wclobbered -fvisibility=hidden
# Server headers as system headers: they warn under -Wextra and use `register`, which C++17 took away.
PG_CPPFLAGS = -I. -Iextension -isystem $(shell $(PG_CONFIG) --includedir-server) -DORCH_VERSION='"$(orch_version)"'

PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

# Before 16 PGDLLEXPORT is empty, and a library built with hidden symbols has no magic block to show.
ifeq ($(shell test $(MAJORVERSION) -lt 16 && echo yes),yes)
override CPPFLAGS += -DPGDLLEXPORT='__attribute__((visibility("default")))'
endif

# `werror=yes` (make check and CI) turns warnings into errors; a plain build on a newer compiler should not fail for a new warning.
ifeq ($(werror),yes)
override CXXFLAGS += -Werror
endif

$(BUILD)/units/%.o: $(BUILD)/units/%.cpp
	@echo "c++ $*"
	@$(CXX) $(CXXFLAGS) $(CPPFLAGS) -MMD -MP -c -o $@ $<

-include $(objects:.o=.d)

$(BUILD)/orch$(DLSUFFIX): $(objects) $(BUILD)/units/list
	@echo "link $@"
	@$(CXX) -shared -o $@ $(objects) $(LDFLAGS) -Wl,--no-undefined-version -lhiredis

# Written anew only when it changes, so that a source that was added or removed relinks and nothing else does.
$(BUILD)/units/list: force
	@echo '$(objects)' | cmp -s - $@ || echo '$(objects)' > $@

# Installing never replaces: an object that somebody made in our way before us must stop CREATE EXTENSION, not join us.
$(DATA_built): $(parts) force
	@mkdir -p $(@D)
	@cat $(parts) | sed 's/\bcreate or replace\b/create/I' > $@.new
	@if cmp -s $@.new $@; then rm $@.new; else echo "sql $@"; mv $@.new $@; fi

.PHONY: force
force:

# For clang-tidy, which must read each file with the flags it is compiled with.
print-flags:
	$(info -std=c++20 -Wall -Wextra $(CPPFLAGS)) @:

.PHONY: print-flags
