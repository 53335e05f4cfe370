// Starting runs: in the caller's transaction, once for each idempotency key.
//
// Locks: an idempotency key that another open transaction is inserting is waited for; nothing else is.
#pragma once

#include "engine/call.hpp"

namespace orch::engine {

struct TriggerOptions {
    int priority = 0;
    std::optional<TimestampTz> run_at = {};
    std::optional<Datum> tags = {};  // jsonb object
    std::optional<int64> timeout_us = {};
    std::optional<std::string> traceparent = {};
    std::string source = "manual";
    std::optional<int32> version = {};
    std::optional<TaskRef> parent = {};  // the task that starts it
    // What the engine starts for somebody outside: in this tenant, from a source of its own, by this actor.
    std::optional<std::string> tenant = {};
    bool by_engine = false;
    std::optional<Datum> actor = {};  // text
};

inline constexpr int most_priority = 1000;

struct Triggered {
    RunId run;
    bool created;
    char state;
};

/// One run for each input. `keys` is empty or as long as `inputs`; a key that is taken gives its run where the input is the same, else raises OR004.
std::vector<Triggered> trigger(Call &call, std::string_view workflow, std::span<const Datum> inputs, std::span<const std::optional<std::string>> keys,
                               const TriggerOptions &options);

/// A run of that very version, by the engine's own doing: nothing is checked, no key is taken. Raises OR005.
Triggered trigger_version(Call &call, const Version &version, Datum input, const TriggerOptions &options);
std::vector<RunId> trigger_versions(Call &call, const Version &version, std::span<const Datum> inputs, const TriggerOptions &options);

/// The run that an idempotency key stands for, whatever its input was.
std::optional<Triggered> known_run(int32 workflow_id, const std::string &key);

}  // namespace orch::engine
