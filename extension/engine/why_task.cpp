// One task's part of orch.why: a function for each state.
#include "engine/waits.hpp"
#include "engine/why_facts.hpp"

#include "core/problem.hpp"
#include "core/states.hpp"
#include "shared/circuits.hpp"
#include "shared/clock.hpp"
#include "shared/database.hpp"
#include "shared/settings.hpp"

namespace orch::engine {

namespace {

using namespace core::task_state;
namespace run_state = core::run_state;

struct Answer {
    std::string reason, detail, hint;
};

std::string counted(int64 n, std::string_view one, std::string_view many) { return std::to_string(n) + ' ' + std::string(n == 1 ? one : many); }

std::string with_period(std::string text)
{
    if (!text.empty() && text.back() != '.' && text.back() != '!' && text.back() != '?') text += '.';
    return text;
}

std::string error_sentence(const WhyFacts &facts, int32 task)
{
    const auto found = facts.errors.find(task);
    if (found == facts.errors.end()) return {};
    const TaskError &e = found->second;
    std::string text = "Error";
    if (!e.error_class.empty()) text += " of class " + e.error_class;
    if (!e.code.empty()) text += ", code " + core::in_quotes(e.code);
    return with_period(text + ": " + (e.message.empty() ? "no message" : core::in_quotes(e.message, 300)));
}

std::string attempt_of(const WhyFacts &facts, int32 task)
{
    const TaskLook &t = facts.tasks[task];
    const int last = t.attempts_before + facts.plan_of(task).retry.max_attempts;
    return std::to_string(t.attempt) + " of " + std::to_string(last);
}

template <class Is>
std::vector<int32> parents_that(const WhyFacts &facts, int32 task, Is is)
{
    std::vector<int32> found;
    for (int32 parent : facts.plan_of(task).parents)
        if (is(facts.tasks[parent].state)) found.push_back(parent);
    return found;
}

std::string rule_sentence(const core::PlannedTask &task)
{
    if (task.rule == core::TriggerRule::all_success) return {};
    if (task.rule == core::TriggerRule::at_least) return " Its trigger rule wants at least " + std::to_string(task.at_least) + " to succeed.";
    return " Its trigger rule is " + std::string(core::trigger_rule_name(task.rule)) + ".";
}

// What the engine does by itself as soon as it can, and does not do. The detail says what that is.
std::optional<Answer> waits_for_engine(const WhyFacts &facts, const std::string &detail)
{
    const std::string trouble = engine_trouble(facts);
    if (trouble.empty()) return std::nullopt;
    return Answer{"waits for the engine", detail + ' ' + trouble, "See the rows \"engine\" and \"steward\" of orch.health."};
}

Answer why_pending(const WhyFacts &facts, int32 task)
{
    const core::PlannedTask &planned = facts.plan_of(task);
    const char state = facts.run.state;
    if (state == run_state::queued || state == run_state::scheduled || state == run_state::paused)
        return {"the run has not started it", "The run is " + std::string(core::run_state_name(state)) + ".", "See the row of the run."};
    const std::vector<int32> open = parents_that(facts, task, [](char s) { return !core::is_final(s); });
    if (!open.empty()) return {"waits for its parents", "It waits for " + named(facts, open) + "." + rule_sentence(planned), {}};
    if (planned.is_finally && !facts.run.outcome) {
        int64 left = 0;
        for (int32 t = 0; t < facts.run.version->plan.main_count; t++) left += !core::is_final(facts.tasks[t].state);
        return {"waits for the main tasks", "It is a finally task, and " + counted(left, "main task is", "main tasks are") + " not over.", {}};
    }
    if (auto late = waits_for_engine(facts, "Nothing stands before it any more.")) return *late;
    return {"is about to be decided", "Nothing stands before it any more: the engine looks at it next.",
            "If this lasts, see the row \"engine\" of orch.health."};
}

// A worker of a kind for the shell, since that is what most will start.
std::string how_to_serve(const core::PlannedTask &task)
{
    std::string command = "orch worker --queue " + task.queue;
    switch (task.executor) {
    case core::Executor::handler:
        return "Start a worker that serves it: in SQL, select orch.worker_start('NAME', '{" + task.queue + "}', '{" + task.handler + "}').";
    case core::Executor::code:
        return "Start a worker with the code of " + core::in_quotes(task.handler.substr(6)) + " on queue " + core::in_quotes(task.queue) + ".";
    case core::Executor::command:
    case core::Executor::http: return "Start a worker that serves it: " + command + ".";
    default: return "Start a worker with queue " + core::in_quotes(task.queue) + " and handler " + core::in_quotes(task.handler) + ".";
    }
}

Answer why_sql_waits(const WhyFacts &facts, const shared::RouteStatus *route)
{
    const std::string &role = facts.run.version->created_by;
    const char *name = role.c_str();
    bool exists = false;
    pg::call_pg([&] { exists = OidIsValid(get_role_oid(name, true)); });
    if (!exists)
        return {"its role is gone", "SQL tasks of this version run as role \"" + role + "\", which does not exist.",
                "Create the role again, or register the workflow as another role."};
    if (settings::sql_workers == 0)
        return {"SQL runners are switched off", "orch.sql_workers is 0.", "Type alter system set orch.sql_workers = 2, then select pg_reload_conf()."};
    if (route && route->workers > 0)
        return {"waits for a SQL runner",
                counted(route->workers, "runner works", "runners work") + " for role \"" + role + "\", and " + counted(route->ready, "task is", "tasks are") +
                    " ready for them.",
                "Raise orch.sql_workers if they should be more."};
    return {"waits for a SQL runner", "None runs yet for role \"" + role + "\".",
            "If this lasts: raise max_worker_processes, let the role log in, and see the server's log."};
}

std::string names_of(const std::vector<const WorkerLook *> &workers)
{
    constexpr size_t most = 5;
    std::string text;
    for (size_t i = 0; i < workers.size() && i < most; i++) text += (i > 0 ? ", " : "") + core::in_quotes(workers[i]->name);
    if (workers.size() > most) text += " and " + std::to_string(workers.size() - most) + " more";
    return text;
}

// Nobody who is alive serves it: those who nearly do are the likeliest cause.
Answer why_unserved(const WhyFacts &facts, const core::PlannedTask &planned, const std::string &place, const std::string &since)
{
    std::vector<const WorkerLook *> leaving, silent, same_queue, same_handler;
    for (const auto &[id, worker] : facts.there) {
        if (worker.status.runner_pid != 0) continue;
        const bool queue = worker.serves_queue(planned.queue), handler = worker.serves_handler(planned.handler);
        if (queue && handler) (worker.status.draining || worker.status.closed ? leaving : silent).push_back(&worker);
        else if (worker.status.alive && queue) same_queue.push_back(&worker);
        else if (worker.status.alive && handler) same_handler.push_back(&worker);
    }
    if (!leaving.empty())
        return {"its workers are leaving", names_of(leaving) + " served " + place + " and take no more tasks." + since, how_to_serve(planned)};
    if (!silent.empty())
        return {"its workers are silent",
                names_of(silent) + " served " + place + "; the last word of " + core::in_quotes(silent.front()->name) + " came at " +
                    moment(facts, silent.front()->status.last_seen_us) + "." + since,
                how_to_serve(planned)};
    std::string detail = "No worker that is alive serves " + place + ".";
    if (!same_queue.empty()) detail += " On that queue, but without that handler: " + names_of(same_queue) + ".";
    if (!same_handler.empty()) detail += " With that handler, but on other queues: " + names_of(same_handler) + ".";
    return {"no worker serves it", detail + since, how_to_serve(planned)};
}

std::optional<Answer> why_circuit_waits(const WhyFacts &facts, const core::PlannedTask &planned)
{
    if (planned.circuit.empty()) return std::nullopt;
    const std::string name = shared::folded_name(planned.circuit), tenant = shared::folded_name(facts.run.version->tenant);
    const std::vector<shared::CircuitStatus> circuits = shared::circuit_status();
    const auto found = std::find_if(circuits.begin(), circuits.end(), [&](const auto &c) { return c.name == name && c.tenant == tenant; });
    if (found == circuits.end() || found->state == core::CircuitState::closed) return std::nullopt;
    const std::string hint = "When the other side is well again: select orch.reset_circuit(" + sql_quoted(planned.circuit) + ").";
    std::string detail = "Circuit " + core::in_quotes(planned.circuit) + " opened at " + moment(facts, found->opened_us) + " after " +
                         counted(found->failures_in_row, "failure", "failures") + " in a row.";
    if (found->state == core::CircuitState::open)
        return Answer{"circuit_open", detail + " The next attempt is let through at " + moment(facts, found->half_open_us) + ".", hint};
    if (!found->probing) return std::nullopt;
    return Answer{"circuit_open", detail + " It lets one attempt at a time through, and one is running.", hint};
}

Answer why_ready(const WhyFacts &facts, int32 task)
{
    if (RecoveryInProgress()) return {"is ready", "A standby does not know which workers serve it.", "Ask orch.why on the primary."};
    const core::PlannedTask &planned = facts.plan_of(task);
    const auto found = facts.routes.find(facts.tasks[task].route_id);
    const shared::RouteStatus *route = found == facts.routes.end() ? nullptr : &found->second;
    if (planned.executor == core::Executor::sql) return why_sql_waits(facts, route);

    if (auto answer = why_circuit_waits(facts, planned)) return *answer;
    const std::string place = "handler " + core::in_quotes(planned.handler) + " on queue " + core::in_quotes(planned.queue);
    const TaskLook &look = facts.tasks[task];
    const std::string since = look.ready_at ? " It has been ready since " + moment(facts, *look.ready_at) + "." : "";
    if (!route || route->workers == 0) return why_unserved(facts, planned, place, since);
    int64 held = 0, serving = 0, busy = 0, resting = 0;
    for (const auto &[id, worker] : facts.there) {
        if (!worker.status.alive || worker.status.draining || !worker.serves_queue(planned.queue) || !worker.serves_handler(planned.handler)) continue;
        serving++;
        held += worker.status.running;
        resting += worker.status.resting;
        busy += worker.status.running > 0 && !worker.status.waiting;
    }
    std::string detail =
        counted(route->workers, "worker serves ", "workers serve ") + place + ", and " + counted(route->ready, "task is", "tasks are") + " ready for them.";
    if (route->spilled) detail += " More wait in the rows alone.";
    if (serving > 0 && busy == serving)
        return {"its workers are busy", detail + (serving == 1 ? " It holds " : " They hold ") + counted(held, "task", "tasks") + "." + since,
                "Start more, or see orch.workers."};
    if (serving > 0 && resting == serving)
        return {"its workers rest", detail + " They wait for hints in Redis." + since,
                "Without a hint they look by themselves after a while. See the row redis of orch.health."};
    return {"waits for a worker", detail + since, "They may be busy: start more, or see orch.workers."};
}

// A statement of a SQL task may wait for somebody else's lock like any other.
std::string who_blocks(int runner_pid)
{
    static pg::Statement select("select array_to_string(pg_blocking_pids($1), ', ')", {INT4OID});
    return select.run(Parameters<1>().add(Int32GetDatum(runner_pid))).text(0, 1);
}

Answer why_running(const WhyFacts &facts, int32 task)
{
    const TaskLook &look = facts.tasks[task];
    const auto worker = facts.workers.find(look.worker_id);
    std::string detail = "Attempt " + attempt_of(facts, task);
    if (worker != facts.workers.end()) detail += " runs at worker " + core::in_quotes(worker->second);
    else detail += " runs";
    if (look.started_at) detail += " since " + moment(facts, *look.started_at);
    detail += '.';
    shared::LeaseState lease;
    if (!shared::lease_of({facts.run.id, task}, lease)) return {"is running", detail, {}};
    if (lease.cancel) return {"is told to stop", detail + " The worker learns at its next heartbeat that it is to stop.", {}};
    const auto there = facts.there.find(look.worker_id);
    if (const int pid = there == facts.there.end() ? 0 : there->second.status.runner_pid; pid != 0) {
        // Its lock on the task's row stands for heartbeats.
        if (const std::string pids = who_blocks(pid); !pids.empty())
            return {"waits for a lock", detail + " Its statement waits for a lock that process " + pids + " holds.",
                    "See pg_stat_activity for what that process does; select pg_terminate_backend(...) ends it."};
        return {"is running", detail, {}};
    }
    const int64 left = lease.deadline_us - shared::monotonic_us();
    if (left <= 0) {
        if (auto late = waits_for_engine(facts, detail + " Its lease has run out.")) return *late;
        return {"its lease has run out", detail + " The engine is about to take it back.", {}};
    }
    detail += " Its lease lasts another " + span(left) + " unless a heartbeat extends it.";
    if (there != facts.there.end() && !there->second.status.alive)
        return {"its worker is silent", detail + " The worker's last word came at " + moment(facts, there->second.status.last_seen_us) + ".",
                "When the lease is over, the task is given to another worker."};
    return {"is running", detail, {}};
}

Answer why_scheduled(const WhyFacts &facts, int32 task)
{
    const TaskLook &look = facts.tasks[task];
    std::string detail = "Attempt " + attempt_of(facts, task) + " failed.";
    if (look.due_at) detail += " The next one is due at " + moment(facts, *look.due_at) + ".";
    detail += ' ' + error_sentence(facts, task);
    if (look.due_at && *look.due_at <= facts.now)
        if (auto late = waits_for_engine(facts, detail)) return *late;
    return {"waits for its next attempt", detail, {}};
}

// A workflow in code, between two of its steps.
Answer why_code_waits(const WhyFacts &facts, Datum item)
{
    if (auto error = pg::member(item, "parked"))
        return {
            "parked",
            "Its code does not go the way that its history tells: " + core::in_quotes(pg::text_member(*error, "message").value_or("no message"), 1000) + ".",
            "Mend the code and start its worker again, which registers it; or type select orch.unpark(" + sql_quoted(core::uuid_to_text(facts.run.id)) + ")."};
    const std::optional<Datum> all = pg::member(item, "all"), any = pg::member(item, "any");
    std::vector<int32> open, over;
    if (all || any)
        for (Datum n : pg::elements(all ? *all : *any).value_or(std::vector<Datum>{}))
            if (const auto no = static_cast<size_t>(std::stoul(pg::json_text_of(n))); no < facts.tasks.size())
                (core::is_final(facts.tasks[no].state) ? over : open).push_back(static_cast<int32>(no));
    if (any && open.empty() && over.empty()) return {"waits for an update", "Its code goes on when it is asked to by orch.update.", {}};
    std::sort(open.begin(), open.end());
    std::string detail = "It waits for " + named(facts, open) + ".";
    if (any && open.size() > 1) detail = "It waits for the first of " + named(facts, open) + ".";
    if (open.empty() || (any && !over.empty())) {
        if (auto late = waits_for_engine(facts, "What it waited for is there.")) return *late;
        return {"is about to go on", "What it waited for is there.", {}};
    }
    return {"waits for its steps", detail, {}};
}

Answer why_waits_for_signal(const WhyFacts &facts, Datum what, const std::string &since, const std::string &until)
{
    const std::string name = pg::text_member(what, "signal").value_or("");
    return {"waits for a signal", "It waits for signal " + core::in_quotes(name) + since + "." + until,
            "Send it: select orch.signal(" + sql_quoted(core::uuid_to_text(facts.run.id)) + ", " + sql_quoted(name) + ")."};
}

Answer why_waits_for_approval(const WhyFacts &facts, int32 task, Datum what, const std::string &since, const std::string &until)
{
    std::string names;
    const std::optional<Datum> approval = pg::member(what, "approval");
    const std::optional<Datum> roles = approval ? pg::member(*approval, "roles") : std::nullopt;
    if (const auto list = roles ? pg::elements(*roles) : std::nullopt)
        for (const Datum role : *list) names += (names.empty() ? "" : " or ") + pg::json_text_of(role);
    if (names.empty()) names = "\"orch_operator\"";
    return {"waits for an approval", "It waits for the decision of a member of " + names + since + "." + until,
            "Decide it: select orch.approve(" + sql_quoted(core::uuid_to_text(facts.run.id)) + ", " + sql_quoted(facts.plan_of(task).id) + ")."};
}

Answer why_waits_for_child(Datum what, const std::string &since, const std::string &until)
{
    static pg::Statement select("select r.state from _orch.run_{} r where r.run_id = $1", {UUIDOID});
    const std::string id = pg::text_member(what, "run_id").value_or("");
    const std::optional<RunId> child = core::uuid_from_text(id);
    std::string state = "gone";
    if (child && leaf_exists(day_of(*child)))
        if (const pg::Rows rows = select.run_on(day_of(*child), Parameters<1>().add(pg::uuid_datum(*child))); !rows.empty())
            state = core::run_state_name(rows.letter(0, 1));
    return {"waits for a child run",
            "Run " + id + " of workflow " + core::in_quotes(pg::text_member(what, "workflow").value_or("")) + " is " + state + "; it waits for its end" +
                since + "." + until,
            "Ask what that waits for: select * from orch.why(" + sql_quoted(id) + ")."};
}

Answer why_waiting(const WhyFacts &facts, int32 task)
{
    const TaskLook &look = facts.tasks[task];
    if (look.item && facts.plan_of(task).executor == core::Executor::code) return why_code_waits(facts, *look.item);
    if (look.due_at && *look.due_at <= facts.now)
        if (auto late = waits_for_engine(facts, "It was to go on at " + moment(facts, *look.due_at) + ".")) return *late;
    const core::Executor executor = facts.plan_of(task).executor;
    const bool for_word = executor == core::Executor::signal || executor == core::Executor::approval || executor == core::Executor::workflow;
    if (const std::optional<WaitsFor> waits = for_word ? waits_for({facts.run.id, task}) : std::nullopt) {
        const std::string since = look.started_at ? " since " + moment(facts, *look.started_at) : "";
        const std::string until = look.due_at ? " It times out at " + moment(facts, *look.due_at) + "." : "";
        if (executor == core::Executor::signal) return why_waits_for_signal(facts, waits->what, since, until);
        if (executor == core::Executor::approval) return why_waits_for_approval(facts, task, waits->what, since, until);
        return why_waits_for_child(waits->what, since, until);
    }
    return {"sleeps", look.due_at ? "It goes on at " + moment(facts, *look.due_at) + "." : "It waits for a time.", {}};
}

Answer why_failed(const WhyFacts &facts, int32 task)
{
    const TaskLook &look = facts.tasks[task];
    Answer answer{look.state == timed_out ? "took too long" : "failed", {}, {}};
    answer.detail = look.attempt > 0 ? "Attempt " + attempt_of(facts, task) + " was its last. " : "";
    answer.detail += error_sentence(facts, task);
    if (answer.detail.empty()) answer.detail = "Nothing is recorded about its error.";
    if (auto letter = facts.dead_letters.find(task); letter != facts.dead_letters.end())
        answer.hint = "Mend the cause, then type select * from orch.redrive(" + std::to_string(letter->second) + ").";
    return answer;
}

Answer why_skipped(const WhyFacts &facts, int32 task)
{
    if (auto told = facts.errors.find(task); told != facts.errors.end() && told->second.kind == EventKind::task_skipped)
        return {"its handler skipped it", told->second.message.empty() ? "It gave no reason." : told->second.message, {}};
    const core::PlannedTask &planned = facts.plan_of(task);
    core::Counts counts{.parents = static_cast<int32>(planned.parents.size())};
    for (int32 parent : planned.parents) {
        const char s = facts.tasks[parent].state;
        counts.succeeded += s == succeeded;
        counts.skipped += s == skipped;
        counts.upstream_failed += s == upstream_failed;
        counts.failed += core::counts_as_failed(s);
    }
    if (!planned.when.empty() && core::evaluate(planned.rule, planned.at_least, counts) == core::Outcome::run)
        return {"its condition is false", "Its when is " + core::in_quotes(planned.when, 300) + ".", {}};
    return {"its trigger rule skips it",
            "Its parents are " + named(facts, planned.parents) + "; its trigger rule is " + std::string(core::trigger_rule_name(planned.rule)) + ".",
            {}};
}

Answer why_upstream_failed(const WhyFacts &facts, int32 task)
{
    const std::vector<int32> failing = parents_that(facts, task, [](char s) { return core::counts_as_failed(s) || s == upstream_failed; });
    if (failing.empty())
        return {
            "its trigger rule cannot be met", "Its parents are " + named(facts, facts.plan_of(task).parents) + "." + rule_sentence(facts.plan_of(task)), {}};
    return {"what it depends on failed", "It depends on " + named(facts, failing) + "." + rule_sentence(facts.plan_of(task)), "Ask orch.why for those."};
}

Answer why_cancelled(const WhyFacts &facts, int32 task)
{
    if (facts.errors.count(task)) {
        const TaskError &e = facts.errors.at(task);
        if (e.kind == EventKind::task_cancelled && !e.message.empty()) return {"was cancelled", error_sentence(facts, task), {}};
    }
    if (facts.run.state == run_state::cancelled || facts.run.state == run_state::cancelling)
        return {"the run was cancelled", "The run was cancelled before it was over.", {}};
    if (facts.run.state == run_state::timed_out || facts.run.outcome == 't' || facts.run.outcome == 'T')
        return {"the run took too long", "The timeout of the run came before it was over.", {}};
    std::vector<int32> guilty;
    for (size_t t = 0; t < facts.tasks.size(); t++)
        if (facts.tasks[t].state == failed || facts.tasks[t].state == timed_out) guilty.push_back(static_cast<int32>(t));
    if (guilty.empty()) return {"was cancelled", "It was cancelled before it was over.", {}};
    return {"another task failed", "The run ends at the first failure that no task handles (on_failure: fail_fast): " + named(facts, guilty) + ".", {}};
}

Answer answer_for(const WhyFacts &facts, int32 task)
{
    switch (facts.tasks[task].state) {
    case pending: return why_pending(facts, task);
    case ready: return why_ready(facts, task);
    case running: return why_running(facts, task);
    case scheduled: return why_scheduled(facts, task);
    case waiting: return why_waiting(facts, task);
    case failed:
    case timed_out: return why_failed(facts, task);
    case skipped: return why_skipped(facts, task);
    case upstream_failed: return why_upstream_failed(facts, task);
    case cancelled: return why_cancelled(facts, task);
    default: {
        const TaskLook &look = facts.tasks[task];
        return {"succeeded", look.finished_at ? "It succeeded at " + moment(facts, *look.finished_at) + "." : "It succeeded.", {}};
    }
    }
}

}  // namespace

Reason why_task(const WhyFacts &facts, int32 task)
{
    Answer answer = answer_for(facts, task);
    // Whatever else is true, nothing moves in a database that is held.
    if (!core::is_final(facts.tasks[task].state) && shared::phase() == shared::Phase::held) answer = {"the database is held", held_detail, held_hint};
    return {facts.plan_of(task).id, std::string(core::task_state_name(facts.tasks[task].state)), answer.reason, answer.detail, answer.hint};
}

}  // namespace orch::engine
