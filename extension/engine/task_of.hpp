// The definition of a task of a run, whether its version planned it or the run's code made it on its way.
#pragma once

#include "core/problem.hpp"
#include "engine/leaf.hpp"
#include "engine/version.hpp"
#include "shared/routes.hpp"

namespace orch::engine {

/// Valid until the next Call is opened. `item`: of a row at hand, which saves reading it.
const core::PlannedTask &task_of(const Version &version, const RunId &run, int32 task_no, std::optional<Datum> item = {});

/// Of the route of a task that code made.
shared::RouteNames route_names(const Version &version, const core::PlannedTask &made);

/// The slot in shared memory of a task's route.
int route_slot_of(const Version &version, const shared::TaskRef &task);

/// Items belong to rows, which an abort takes away: forgotten at the start of every Call.
void forget_items();

}  // namespace orch::engine
