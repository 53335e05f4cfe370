// What a user's SQL costs: time, buffers and WAL, and the plans of its slow statements.
//
// For a process that runs one text at a time, as SQL runners do: the executor's hooks, once installed, look at what SqlMeter says is being measured.
#pragma once

#include "pg/bridge.hpp"

namespace orch::pg {

struct SqlCost {
    int64 duration_us = 0;
    int64 buffers_hit = 0, buffers_read = 0, buffers_dirtied = 0, buffers_written = 0;  // shared, local and temporary ones together
    int64 wal_bytes = 0;
};

/// Once a process.
void install_sql_meter();

/// Measures from its construction to its destruction, on an error too.
/// EXPLAIN's text of each statement that the last SqlMeter wanted it of, empty where there was none.
std::string measured_plans();

class SqlMeter {
public:
    /// Plans are kept of statements of `sql` itself, not of those in functions, that take at least plans_from_us; below 0 of none. `sql` must outlive it.
    SqlMeter(const char *sql, int64 plans_from_us, SqlCost &cost);
    ~SqlMeter();
    SqlMeter(const SqlMeter &) = delete;
    SqlMeter &operator=(const SqlMeter &) = delete;

private:
    SqlCost &cost_;
    BufferUsage buffers_;
    WalUsage wal_;
    int64 began_us_;
};

}  // namespace orch::pg
