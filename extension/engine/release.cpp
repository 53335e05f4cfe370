// Giving tasks back: ready again at once, and the attempt does not count.
#include "core/states.hpp"
#include "engine/progress.hpp"
#include "engine/question.hpp"
#include "engine/settle.hpp"
#include "engine/transitions.hpp"

#include <set>

namespace orch::engine {

std::vector<std::pair<std::string, SettleStatus>> release(Call &call, const std::vector<std::string> &leases, bool of_caller)
{
    std::vector<std::pair<std::string, SettleStatus>> refused;
    std::vector<LeaseKey> keys;
    std::map<std::string, TaskRef> known;
    for (const std::string &text : leases) {
        auto lease = core::decode_lease(text);
        if (lease && is_question({lease->run_id, lease->task_no})) {
            require_open();
            if (!offer_again(call, lease->run_id, static_cast<int64>(lease->token))) refused.emplace_back(text, SettleStatus::lost);
            continue;
        }
        if (!lease || !leaf_exists(day_of(lease->run_id))) continue;
        keys.push_back({lease->run_id, lease->task_no, lease->attempt, static_cast<int64>(lease->token)});
        known[text] = {lease->run_id, lease->task_no};
    }
    require_open();
    const std::vector<LeaseKey> wanted = keys;
    std::vector<Transition> transitions;
    std::map<TaskRef, Attempt> attempts;
    const std::string tenant = call.tenant();
    for (const Attempt &a : lock_attempts(std::move(keys), false)) {
        if (of_caller && version_of(a.version_id).tenant != tenant) continue;
        Transition t{a.run, a.task_no, core::task_state::running, core::task_state::ready};
        t.events = EventKind::task_released;
        t.unused_attempt = true;
        t.forget_token = true;
        t.ready_at = call.now();
        transitions.push_back(t);
        attempts.emplace(TaskRef{a.run, a.task_no}, a);
    }
    apply(call, transitions);
    std::set<TaskRef> done;
    for (const Transition &t : transitions) {
        if (!t.applied) continue;
        const TaskRef task{t.run, t.task_no};
        const Attempt &a = attempts.at(task);
        call.events().add({t.run, t.task_no, t.no, t.events.last(), a.attempt, call.role_actor()});
        queue_ready(version_of(a.version_id), task, call.now(), t.priority);
        // In a run that is being ended it is cancelled instead of started again.
        shared::on_commit_advance({t.run, run_itself});
        done.insert(task);
    }
    for (const LeaseKey &key : wanted)
        if (done.count({key.run, key.task_no})) shared::on_commit_unlease({key.run, key.task_no}, key.token);

    for (const std::string &text : leases) {
        if (const auto lease = core::decode_lease(text); lease && is_question({lease->run_id, lease->task_no})) continue;
        auto found = known.find(text);
        if (found == known.end() || !done.count(found->second)) refused.emplace_back(text, SettleStatus::lost);
    }
    return refused;
}

}  // namespace orch::engine
