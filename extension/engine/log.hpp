// Log lines of attempts.
#pragma once

#include "engine/call.hpp"

namespace orch::engine {

struct LogLine {
    std::string stream;
    std::string line;
    TimestampTz at;
};

/// Lines [{stream, line, at}] of a running attempt; returns how many were stored. Raises OR010 where the lease is lost, 22023 for other shapes.
int32 store_log(Call &call, const std::string &lease, Datum lines);

/// Adds lines behind those that an attempt has, up to its limits; returns how many were stored.
int32 append_log(Call &call, const TaskRef &task, int16 attempt, const std::vector<LogLine> &lines);

}  // namespace orch::engine
