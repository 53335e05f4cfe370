// Giving ready tasks to a worker.
#pragma once

#include "engine/call.hpp"
#include "pg/result_set.hpp"

namespace orch::engine {

struct WorkerIdentity {
    std::string name;
    int32 worker_id;
    int slot;
    std::string tenant;  // empty: a runner, which works for all
};

/// Raises 22023 where no worker of a caller may be called that.
void require_worker_name(std::string_view name);

/// The tenant whose workers a role speaks for in this session; empty for those that serve all of them.
std::string tenant_of_workers(Oid role);

/// The worker of that name, known to rows and memory; an unknown one gets the defaults.
WorkerIdentity know_worker(Call &call, std::string_view name);

/// orch.worker_start: what it serves from now on. Empty handlers = {:command, :http}.
struct WorkerDeclaration {
    std::vector<std::string> queues;
    std::optional<std::vector<std::string>> handlers;
    std::optional<std::string> version;
    std::optional<Datum> metadata;
};
WorkerIdentity start_worker(Call &call, std::string_view name, const WorkerDeclaration &declaration);

/// A SQL runner of a role, known as a worker that serves every queue of that role's SQL tasks.
WorkerIdentity know_runner(Call &call, std::string_view name, const std::string &role);

/// The slot of a worker by its number, opened from its row where memory does not know it; shared::no_slot where that cannot be.
int slot_of_worker(Call &call, int32 worker_id);

/// What a worker needs to know of a task, and what its lease is called.
struct LeasedTask {
    std::string lease;
    RunId run;
    int32 task_no;
    int16 attempt;
    const Version *version;
    std::optional<Datum> spec;
    std::optional<Datum> input;
    std::optional<TimestampTz> deadline_at;
    std::optional<Datum> traceparent;
};

/// Up to max_tasks of the ready tasks that the worker serves. A task whose templates do not resolve fails here and is not given out.
std::vector<LeasedTask> lease(Call &call, const WorkerIdentity &worker, int max_tasks, int64 lease_time_us);

/// lease and exchange hold rows and entries for a worker that is told of them at the commit: refused where that commit is not this statement's own end,
/// above READ COMMITTED, and a second time in one transaction.
void require_own_transaction(const char *function);

}  // namespace orch::engine
