// Rows that a set-returning function gives back, gathered in a tuplestore.
#pragma once

#include "pg/bridge.hpp"

namespace orch::pg {

class ResultSet {
public:
    /// Before the engine's session opens, in the caller's memory context.
    explicit ResultSet(FunctionCallInfo fcinfo);

    /// One row; as many values as the function has columns.
    void add(const Datum *values, const bool *nulls);

    template <int N>
    void add(const std::optional<Datum> (&values)[N])
    {
        Datum datums[N];
        bool nulls[N];
        for (int i = 0; i < N; i++) {
            nulls[i] = !values[i];
            datums[i] = values[i].value_or(0);
        }
        add(datums, nulls);
    }

private:
    ReturnSetInfo *info_;
};

}  // namespace orch::pg
