// The versions that this backend has met, compiled. A version never changes, so a compiled one stays right as long as the extension does.
#pragma once

#include "core/plan.hpp"
#include "pg/bridge.hpp"

namespace orch::engine {

struct Version {
    Oid extension;
    int32 version_id;
    int32 workflow_id;
    int32 number;
    std::string workflow;
    std::string tenant;
    std::string created_by;
    core::Plan plan;
    bool waits = false;                // whether tasks of it may wait for signals or for other runs
    std::vector<int32> route_ids;      // by task; 0 for tasks that the engine runs
    mutable std::vector<Datum> specs;  // by task: what a lease gives out for tasks without templates; 0 until first used
    mutable std::vector<Datum> inputs;
    mutable std::vector<std::string> handlers;  // by task: the handler of the route

    const core::PlannedTask &task(int32 task_no) const { return plan.tasks[task_no]; }
    int32 task_count() const { return static_cast<int32>(plan.tasks.size()); }
    bool has_finally() const { return plan.main_count < task_count(); }

    /// True for a task that a settle may make ready by itself: a worker or SQL runner runs it, with no condition to look at.
    bool plain(int32 task_no) const
    {
        const core::PlannedTask &t = plan.tasks[task_no];
        return t.when.empty() && !core::runs_in_engine(t.executor);
    }

    /// A workflow in code: its one planned task, `main`, makes the others on its way (engine/code_run.hpp).
    bool is_code() const { return plan.tasks.size() == 1 && plan.tasks[0].executor == core::Executor::code; }

    /// True where more than one task can be open at a time, so that ends have to be counted.
    bool counted() const { return !plan.is_chain; }
};

/// The version of that id, from the cache or compiled now. Raises when there is none.
const Version &version_of(int32 version_id);

/// The version that a trigger of this workflow takes now: the latest, or the one of that number. Raises OR002.
struct Current {
    const Version *version;
    bool paused;
};
Current current_version(std::string_view tenant, std::string_view workflow, std::optional<int32> number);

/// The version that a trigger takes now, or null where there is no such workflow.
const Version *find_version(std::string_view tenant, std::string_view workflow);

/// Drops compiled versions when they have become many; called at the start of an engine call, when nobody holds one.
void trim_versions();

/// The slot in shared memory of a task's route.
int route_slot_of(const Version &version, int32 task_no);

}  // namespace orch::engine
