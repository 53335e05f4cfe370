// A run's row, locked for a verb that a person calls: these wait, unlike the engine's own looks.
#pragma once

#include "engine/call.hpp"

namespace orch::engine {

struct RunRow {
    char state;
    char outcome;  // 0 = none
    int32 version_id;
    bool started;
    TimestampTz created_at;
    std::optional<int64> timeout_us;  // that its trigger asked for
};

/// Raises OR003 for a run that does not exist or belongs to another tenant.
RunRow lock_run_row(Call &call, const RunId &run);

}  // namespace orch::engine
