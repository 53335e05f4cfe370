// Which leaf holds a run: its id says when it was made, and every UTC day has leaves of its own.
#pragma once

#include "core/uuid.hpp"
#include "pg/statement.hpp"

namespace orch::engine {

using RunId = core::Uuid;

/// Days since 1970-01-01 by the id's own time.
inline int day_of(const RunId &run) { return static_cast<int>(core::uuid_milliseconds(run) / 86'400'000); }

/// False for a day that has no partitions: an id that was never ours, or one whose day was dropped.
bool leaf_exists(int day);

/// Keeps the leaves of a day from being dropped until this transaction ends. False where they are gone already: a day from leaf_days may be dropped before it is read.
bool lock_leaf(int day);

/// All days that have leaves, ascending.
std::vector<int> leaf_days();

/// Calls f(day, first, last) for each stretch of `items` that lies in one day; items are ordered by run id.
template <class Items, class Day, class F>
void by_day(const Items &items, Day &&day, F &&f)
{
    for (size_t first = 0; first < items.size();) {
        size_t last = first + 1;
        while (last < items.size() && day(items[last]) == day(items[first])) last++;
        f(day(items[first]), first, last);
        first = last;
    }
}

}  // namespace orch::engine
