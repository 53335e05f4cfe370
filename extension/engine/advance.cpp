#include "engine/advance.hpp"

#include "core/advance.hpp"
#include "core/states.hpp"
#include "engine/child.hpp"
#include "engine/code_run.hpp"
#include "engine/inline_task.hpp"
#include "engine/pauses.hpp"
#include "engine/progress.hpp"
#include "engine/task_of.hpp"
#include "engine/transitions.hpp"
#include "engine/waits.hpp"

namespace orch::engine {

namespace {

using namespace core::task_state;
using core::Verdict;

struct LockedRun {
    char state;
    char outcome;  // 0 = none; 't' = its time is up; 'c' = cancelled by force
    const Version *version;
    bool started;
};

// The run's row, locked; nothing where somebody else holds it, or where there is nothing to do.
std::optional<LockedRun> lock_run(Call &call, const RunId &run)
{
    static pg::Statement lock(
        "select r.state, coalesce(r.outcome, ''), r.version_id, r.started_at is not null from _orch.run_{} r where r.run_id = $1 for update skip locked",
        {UUIDOID});
    static pg::Statement look("select r.state from _orch.run_{} r where r.run_id = $1", {UUIDOID});
    const Parameters<1> parameters = Parameters<1>().add(pg::uuid_datum(run));
    pg::Rows rows = lock.run_on(day_of(run), parameters);
    if (rows.empty()) {
        rows = look.run_on(day_of(run), parameters);
        if (!rows.empty() && !core::is_final(rows.letter(0, 1)))
            shared::on_commit_timer(call.now() + look_again_us, {run, run_itself}, shared::TimerKind::run_at);
        return std::nullopt;
    }
    const char state = rows.letter(0, 1);
    if (core::is_final(state) || state == core::run_state::queued || state == core::run_state::scheduled) return std::nullopt;
    return LockedRun{state, rows.letter(0, 2), &version_of(rows.int4(0, 3)), rows.boolean(0, 4)};
}

std::vector<char> states_of(const RunId &run, const Version &version)
{
    static pg::Statement select("select t.task_no, t.state from _orch.task_{} t where t.run_id = $1 and t.task_no < $2", {UUIDOID, INT4OID});
    pg::Rows rows = select.run_on(day_of(run), Parameters<2>().add(pg::uuid_datum(run)).add(Int32GetDatum(version.task_count())));
    std::vector<char> states(version.task_count(), pending);
    for (uint64 i = 0; i < rows.count(); i++) states[rows.int4(i, 1)] = rows.letter(i, 2);
    return states;
}

// One look: the decisions of core::Advance, gathered as transitions with the events that belong to them.
class Look {
public:
    Look(Call &call, const RunId &run, const LockedRun &row)
        : call_(call), run_(run), row_(row), version_(*row.version), before_(states_of(run, version_)), now_(before_),
          advance_(version_.plan, before_, ending(), row.outcome == 'c', core::is_final(row.outcome) ? row.outcome : '\0')
    {
    }

    void decide()
    {
        while (auto decision = advance_.next()) {
            const char state = carry_out(*decision);
            now_[decision->task] = state;
            advance_.set(decision->task, state);
        }
    }

    void write()
    {
        std::vector<Transition> transitions;
        transitions.reserve(steps_.size());
        for (const Step &s : steps_) transitions.push_back(s.transition);
        apply(call_, transitions);
        std::map<int32, const Transition *> by_task;
        for (const Transition &t : transitions) by_task[t.task_no] = &t;
        bool missed = missed_;
        std::vector<std::pair<int32, char>> ended;
        // In the order of the decisions: the feed tells what a task follows from before the task.
        for (const Step &step : steps_) {
            const Transition &t = *by_task.at(step.transition.task_no);
            if (!t.applied) {
                // A settle or a lease came first with a pending or ready row: then it is as it should be or the next look sees it.
                missed = true;
                continue;
            }
            record_inline(call_, version_, t, step.result);
            if (core::is_final(t.to)) ended.emplace_back(t.task_no, t.to);
        }
        const core::RunEnd end = advance_.end();
        // What code has made goes with it.
        const bool closing = core::is_final(now_[0]) || ending() != core::Ending::none;
        const bool closed = !version_.is_code() || !closing || close_code_rows(call_, run_, core::is_final(now_[0]));
        if (version_.is_code() && !closing) look_at_code(call_, run_);
        const bool over = end.over && !missed && closed;
        count_ends(
            run_, version_, ended, [&](int32 child) { return now_[child] != pending; }, over);
        if (end.stop_running) shared::on_commit_stop_leases(run_);
        if (missed) shared::on_commit_timer(call_.now() + look_again_us, {run_, run_itself}, shared::TimerKind::run_at);
        if (over) finish(end);
        else if (end.outcome && end.outcome != row_.outcome && !missed) set_outcome(end.outcome);
    }

private:
    struct Step {
        Transition transition;
        InlineResult result;
    };

    core::Ending ending() const
    {
        if (row_.state == core::run_state::cancelling) return core::Ending::cancelled;
        return row_.outcome == 't' || row_.outcome == 'T' ? core::Ending::timed_out : core::Ending::none;
    }

    char carry_out(const core::Decision &decision)
    {
        const TaskRef task{run_, decision.task};
        const char before = before_[decision.task];
        Step step;
        switch (decision.verdict) {
        case Verdict::start: step.result = start(task); break;
        case Verdict::skip: step.result = {skipped, false, {{EventKind::task_skipped}}, {}}; break;
        case Verdict::upstream_failed: step.result = {upstream_failed, false, {{EventKind::task_upstream_failed}}, {}}; break;
        case Verdict::cancel:
            // The child first: a run that is over has none that goes on without its knowing.
            if (before == waiting && !close_child(call_, task)) break;
            step.result = {cancelled, false, {{EventKind::task_cancelled}}, {}};
            break;
        }
        const InlineResult &r = step.result;
        if (!r.state) {
            missed_ = true;
            return before;
        }
        if (r.state == succeeded || r.state == failed)
            fresh_[task.task_no] = {r.state, r.state == succeeded ? r.told.back().json : "null", r.state == failed ? r.told.back().json : "null"};
        step.transition = transition_of(call_, task, before, r);
        steps_.push_back(std::move(step));
        return r.state;
    }

    InlineResult start(const TaskRef &task)
    {
        if (version_.plain(task.task_no)) return {ready};
        RunFacts facts{row_.state, {}};
        for (int32 other = 0; other < version_.task_count(); other++)
            if (now_[other] == failed || now_[other] == timed_out) facts.failed.push_back(other);
        if (const core::RunEnd end = advance_.end(); end.outcome) facts.state = end.outcome;
        return run_inline(call_, task, version_, task_of(version_, run_, task.task_no), before_[task.task_no], facts, fresh_);
    }

    void set_outcome(char outcome)
    {
        static pg::Statement update("update _orch.run_{} set outcome = $2 where run_id = $1", {UUIDOID, CHAROID});
        update.run_on(day_of(run_), Parameters<2>().add(pg::uuid_datum(run_)).add(CharGetDatum(outcome)));
    }

    // What the run's last event tells: the output that its definition asks for, or the tasks that nobody handled.
    std::optional<std::string> last_words(const core::RunEnd &end, char &outcome)
    {
        if (outcome == core::run_state::succeeded) {
            if (version_.plan.output.is_null()) return std::nullopt;
            try {
                Document document(run_, version_);
                document.fresh(&fresh_);
                document.facts({outcome, {}});
                return document.resolve_output();
            } catch (const expression_error &e) {
                outcome = core::run_state::failed;
                return core::to_text(core::Json{{"class", "validation"}, {"code", e.code}, {"message", "the output of the run: " + e.message}});
            }
        }
        if (version_.is_code() && !end.unhandled.empty())
            if (auto error = error_of_main(run_)) return pg::json_text_of(*error);
        core::Json tasks = core::Json::array();
        for (int32 task : end.unhandled)
            if (tasks.size() < 100) tasks.push_back(version_.task(task).id);
        if (tasks.empty()) return std::nullopt;
        const std::string message = end.unhandled.size() == 1 ? "task " + core::in_quotes(version_.task(end.unhandled[0]).id) + " failed"
                                                              : std::to_string(end.unhandled.size()) + " tasks failed";
        return core::to_text(core::Json{{"class", "handler"}, {"code", "tasks_failed"}, {"message", message}, {"tasks", tasks}});
    }

    void finish(const core::RunEnd &end)
    {
        static pg::Statement update("update _orch.run_{} set state = $2, outcome = $2, no = no + 1, finished_at = $3 where run_id = $1"
                                    " returning no, parent_run_id, parent_task_no, started_at",
                                    {UUIDOID, CHAROID, TIMESTAMPTZOID});
        char outcome = end.outcome;
        std::optional<Datum> payload;
        if (auto words = last_words(end, outcome)) payload = pg::jsonb_datum(*words);
        pg::Rows rows = update.run_on(day_of(run_), Parameters<3>().add(pg::uuid_datum(run_)).add(CharGetDatum(outcome)).add(time_datum(call_.now())));
        call_.events().add({run_, run_itself, rows.int4(0, 1), core::run_end_event(outcome), 0, call_.engine_actor(), payload});
        tell_parent(rows.maybe(0, 2), rows.maybe(0, 3));
        shared::on_commit_run_state(row_.state, outcome);
        if (auto began = rows.maybe(0, 4))
            shared::on_commit_timing(shared::Timing::run, version_.tenant, version_.workflow, call_.now() - DatumGetTimestampTz(*began));
        release_run(run_, version_, row_.started);
    }

    Call &call_;
    const RunId run_;
    const LockedRun row_;
    const Version &version_;
    const std::vector<char> before_;
    std::vector<char> now_;
    core::Advance advance_;
    std::vector<Step> steps_;
    FreshResults fresh_;
    bool missed_ = false;  // a row that somebody holds
};

// The final states of some tasks of a run; nothing where one of them is not known.
core::Counts count_parents(const RunId &run, const core::PlannedTask &task)
{
    static pg::Statement select("select t.state from _orch.task_{} t where t.run_id = $1 and t.task_no = any($2)", {UUIDOID, INT4ARRAYOID});
    pg::Column parents(INT4OID);
    for (int32 parent : task.parents) parents.add(Int32GetDatum(parent));
    pg::Rows rows = select.run_on(day_of(run), Parameters<2>().add(pg::uuid_datum(run)).add(parents.array()));
    core::Counts counts{.parents = static_cast<int32>(task.parents.size())};
    for (uint64 i = 0; i < rows.count(); i++) {
        const char state = rows.letter(i, 1);
        if (state == succeeded) counts.succeeded++;
        else if (core::counts_as_failed(state)) counts.failed++;
        else if (state == skipped) counts.skipped++;
        else if (state == upstream_failed) counts.upstream_failed++;
    }
    return counts;
}

}  // namespace

void advance_run(Call &call, const RunId &run)
{
    if (!leaf_exists(day_of(run))) return;
    std::optional<LockedRun> row = lock_run(call, run);
    if (!row) return;
    // What came for tasks that wait, first: it may end the run, and templates see what it brought.
    if (row->version->waits && look_at_waits(call, run)) {
        call.events().write();
        row = lock_run(call, run);
        if (!row) return;
    }
    Look look(call, run, *row);
    look.decide();
    look.write();
}

void advance_task(Call &call, const TaskRef &task)
{
    static pg::Statement select("select r.version_id, r.state = 'r' and r.outcome is null from _orch.run_{} r where r.run_id = $1", {UUIDOID});
    if (!leaf_exists(day_of(task.run))) return;
    pg::Rows rows = select.run_on(day_of(task.run), Parameters<1>().add(pg::uuid_datum(task.run)));
    if (rows.empty()) return;
    const Version &version = version_of(rows.int4(0, 1));
    if (version.waits && task_of(version, task.run, task.task_no).executor == core::Executor::workflow && settle_child(call, task)) return;
    if (version.is_code() && rows.boolean(0, 2)) {
        if (look_at_code(call, task.run)) advance_run(call, task.run);
        return;
    }
    if (!rows.boolean(0, 2) || !version.plain(task.task_no)) return advance_run(call, task.run);
    const core::PlannedTask &planned = version.task(task.task_no);
    switch (core::evaluate(planned.rule, planned.at_least, count_parents(task.run, planned))) {
    case core::Outcome::wait: return;
    case core::Outcome::run: break;
    default: return advance_run(call, task.run);
    }
    std::vector<Transition> transitions{{task.run, task.task_no, pending, ready}};
    transitions[0].ready_at = call.now();
    apply(call, transitions);
    if (transitions[0].applied) return queue_ready(version, task, call.now(), transitions[0].priority);
    // Decided before by a rule that did not wait for this parent, which may have been the last that was open; or somebody holds it.
    advance_run(call, task.run);
}

}  // namespace orch::engine
