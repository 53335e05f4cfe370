#include "engine/why.hpp"

#include "core/problem.hpp"
#include "core/states.hpp"
#include "engine/why_facts.hpp"
#include "shared/database.hpp"

namespace orch::engine {

namespace {

namespace run_state = core::run_state;

struct LastWord {
    std::string actor, message;
};

// Who asked for the cancel, or what the end of the run said.
LastWord last_word(const WhyFacts &facts, std::initializer_list<EventKind> kinds)
{
    static pg::Statement select("select coalesce(e.actor, ''), coalesce(e.payload ->> 'message', '') from _orch.event_{} e where e.run_id = $1 and e.task_no = "
                                "-1 and e.kind = any($2) order by e.no desc limit 1",
                                {UUIDOID, INT2ARRAYOID});
    pg::Column wanted(INT2OID);
    for (EventKind kind : kinds) wanted.add(Int16GetDatum(static_cast<int16>(kind)));
    const pg::Rows rows = select.run_on(day_of(facts.run.id), Parameters<2>().add(pg::uuid_datum(facts.run.id)).add(wanted.array()));
    if (rows.empty()) return {};
    return {rows.text(0, 1), rows.text(0, 2)};
}

std::string progress_of(const WhyFacts &facts)
{
    std::map<char, int> counts;
    for (const TaskLook &t : facts.tasks) counts[t.state]++;
    int over = 0;
    std::string open;
    for (auto [state, count] : counts) {
        if (core::is_final(state)) {
            over += count;
            continue;
        }
        open += (open.empty() ? "" : ", ") + std::to_string(count) + ' ' + std::string(core::task_state_name(state));
    }
    std::string text = std::to_string(over) + " of " + std::to_string(facts.tasks.size()) + " tasks are over";
    return text + (open.empty() ? "." : "; " + open + ".");
}

std::string outcome_sentence(const WhyFacts &facts)
{
    if (!facts.run.outcome) return {};
    const char outcome = facts.run.outcome == 't' ? run_state::timed_out : facts.run.outcome;
    return " Its main tasks are decided: it will end as " + std::string(core::run_state_name(outcome)) + " once its finally tasks are over.";
}

// What the engine does by itself as soon as it can, and does not do.
Reason waits_for_engine(std::string detail)
{
    return {{}, {}, "waits for the engine", std::move(detail), "See the rows \"engine\" and \"steward\" of orch.health."};
}

Reason why_scheduled(const WhyFacts &facts)
{
    if (!facts.run.run_at) return {{}, {}, "waits for its time", "It has a time to start at.", {}};
    if (const std::string trouble = engine_trouble(facts); *facts.run.run_at <= facts.now && !trouble.empty())
        return waits_for_engine("It was to start at " + moment(facts, *facts.run.run_at) + ". " + trouble);
    return {{}, {}, "waits for its time", "It starts at " + moment(facts, *facts.run.run_at) + ".", {}};
}

Reason why_queued(const WhyFacts &facts)
{
    const Version &version = *facts.run.version;
    const int limit = version.plan.max_active_runs, active = shared::active(version.workflow_id);
    const std::string name = core::in_quotes(version.workflow);
    std::string detail = "Workflow " + name + " allows " + std::to_string(limit) + (limit == 1 ? " active run" : " active runs");
    if (const std::string trouble = engine_trouble(facts); active >= 0 && active < limit && !trouble.empty())
        return waits_for_engine(detail + ", and only " + std::to_string(active) + (active == 1 ? " is" : " are") + " active. " + trouble);
    detail += active >= 0 ? ", and " + std::to_string(active) + (active == 1 ? " is active." : " are active.") : ".";
    return {{},
            {},
            "waits for a place",
            detail,
            "It starts when one of them ends: select run_id from orch.runs where workflow = " + sql_quoted(version.workflow) + " and state = 'running'."};
}

Reason why_running(const WhyFacts &facts)
{
    std::string detail = progress_of(facts) + outcome_sentence(facts);
    if (facts.run.deadline_at) detail += " Its timeout is at " + moment(facts, *facts.run.deadline_at) + ".";
    return {{}, {}, "goes on", detail, {}};
}

Reason why_cancelling(const WhyFacts &facts)
{
    const LastWord word = last_word(facts, {EventKind::run_cancel_requested});
    return {{},
            {},
            "is being cancelled",
            (word.actor.empty() ? "" : "Asked for by " + word.actor + ". ") + progress_of(facts),
            "It ends when what runs has stopped and its finally tasks are over; select orch.cancel(" + sql_quoted(core::uuid_to_text(facts.run.id)) +
                ", force => true) leaves those out."};
}

Reason why_over(const WhyFacts &facts)
{
    const std::string when = facts.run.finished_at ? " at " + moment(facts, *facts.run.finished_at) : "";
    const std::string again = "Mend the cause, then type select orch.retry(" + sql_quoted(core::uuid_to_text(facts.run.id)) + ").";
    switch (facts.run.state) {
    case run_state::succeeded: return {{}, {}, "succeeded", "It succeeded" + when + ".", {}};
    case run_state::failed: {
        const LastWord word = last_word(facts, {EventKind::run_failed});
        return {{}, {}, "failed", "It failed" + when + (word.message.empty() ? "." : ": " + word.message + "."), again};
    }
    case run_state::timed_out: return {{}, {}, "took too long", "Its timeout came before it was over; it ended" + when + ".", again};
    default: {
        const LastWord word = last_word(facts, {EventKind::run_cancel_requested});
        return {{}, {}, "was cancelled", "It was cancelled" + (word.actor.empty() ? "" : " by " + word.actor) + " and ended" + when + ".", again};
    }
    }
}

Reason why_run(const WhyFacts &facts)
{
    const char state = facts.run.state;
    if (core::is_final(state)) return why_over(facts);
    if (shared::phase() == shared::Phase::held) return {{}, {}, "the database is held", held_detail, held_hint};
    if (shared::phase() != shared::Phase::open && !RecoveryInProgress())
        return {{},
                {},
                "the engine is not open yet",
                "After a start it reads the active runs before it leases anything.",
                "If this lasts, see orch.health and the server's log."};
    switch (state) {
    case run_state::queued: return why_queued(facts);
    case run_state::scheduled: return why_scheduled(facts);
    case run_state::paused: return {{}, {}, "is paused", "Nothing new starts. " + progress_of(facts), {}};
    case run_state::cancelling: return why_cancelling(facts);
    default: return why_running(facts);
    }
}

}  // namespace

std::vector<Reason> why(Call &call, const RunId &run, const std::optional<std::string> &task)
{
    std::vector<int32> asked;
    const WhyFacts facts = gather_facts(call, run, task, asked);
    std::vector<Reason> reasons;
    if (!task) {
        reasons.push_back(why_run(facts));
        reasons.back().state = core::run_state_name(facts.run.state);
    }
    for (int32 t : asked) reasons.push_back(why_task(facts, t));
    return reasons;
}

}  // namespace orch::engine
