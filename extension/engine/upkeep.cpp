#include "engine/upkeep.hpp"

#include "engine/advance.hpp"
#include "engine/pauses.hpp"
#include "engine/progress.hpp"
#include "engine/refusals.hpp"
#include "pg/isolated.hpp"
#include "shared/clock.hpp"
#include "shared/database.hpp"
#include "shared/run_ids.hpp"

namespace orch::engine {

namespace {

constexpr int days_ahead = 8;

void look_at(Call &call, const TaskRef &task)
{
    if (task.run == admission) admit(call, task.task_no);
    else if (task.task_no == run_itself) advance_run(call, task.run);
    else advance_task(call, task);
}

}  // namespace

bool make_partitions()
{
    static pg::Statement make("select _orch.make_partitions('1970-01-01'::date + $1, $2)", {INT4OID, INT4OID});
    Call call;
    const int today = static_cast<int>(shared::unix_ms() / 86'400'000);
    make.run(Parameters<2>().add(Int32GetDatum(today)).add(Int32GetDatum(days_ahead)));
    // Ids are made within one unbroken stretch of days that holds today.
    const std::vector<int> days = leaf_days();
    int first = today, last = today;
    while (std::binary_search(days.begin(), days.end(), first - 1)) first--;
    while (std::binary_search(days.begin(), days.end(), last + 1)) last++;
    shared::on_commit_partitions(first * INT64CONST(86'400'000), (last + 1) * INT64CONST(86'400'000));
    call.finish();
    return false;
}

bool advance_some(int limit)
{
    // A subtransaction for each is only paid for after a batch has failed: then the bad one is left aside for a while, and the others go on.
    static bool careful = false;
    const bool isolate = std::exchange(careful, true);
    Call call;
    std::vector<TaskRef> tasks(limit);
    tasks.resize(shared::take_advance(limit, tasks.data()));
    for (const TaskRef &task : tasks) {
        if (!isolate) {
            look_at(call, task);
        } else if (!pg::isolated("looking at a run", "it is tried again in five seconds", [&] {
                       Call own;
                       look_at(own, task);
                       own.finish();
                   })) {
            const TaskRef again{task.run, task.run == admission ? task.task_no : run_itself};
            shared::on_commit_timer(call.now() + retry_bad_us, again, shared::TimerKind::run_at);
        }
    }
    call.finish();
    careful = false;
    return tasks.size() == static_cast<size_t>(limit);
}

bool record_refusals(int limit)
{
    Call call;
    std::vector<shared::Refusal> waiting(limit);
    waiting.resize(shared::take_refusals(limit, waiting.data()));
    std::vector<RefusedSettle> refused;
    for (const shared::Refusal &r : waiting) {
        if (!leaf_exists(day_of(r.task.run))) continue;
        refused.push_back({r.task, static_cast<int16>(r.attempt), r.status, *r.worker ? call.worker_actor(r.worker) : call.engine_actor()});
    }
    const std::vector<TaskRef> locked = record_refusals(call, std::move(refused));
    call.finish();
    for (const TaskRef &task : locked)
        shared::refuse_again(*std::find_if(waiting.begin(), waiting.end(), [&](const shared::Refusal &r) { return r.task == task; }));
    return locked.empty() && waiting.size() == static_cast<size_t>(limit);
}

}  // namespace orch::engine
