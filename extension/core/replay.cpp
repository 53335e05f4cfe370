#include "core/replay.hpp"

#include "core/advance.hpp"

#include "core/last_include.hpp"

namespace orch::core {

namespace {

// Numbers beyond that are no tasks but a damaged row.
constexpr int32_t most_tasks = 100'000'000;

class Fold {
public:
    Fold(const Plan &plan, std::span<const RecordedEvent> events) : plan_(plan)
    {
        result_.tasks.resize(plan.tasks.size());
        for (Replayed &task : result_.tasks) task.state = task_state::pending;
        for (const RecordedEvent &event : events) add(event);
        make_ready();
    }

    ReplayedRun take() { return std::move(result_); }

private:
    void add(const RecordedEvent &event)
    {
        if (brings_its_state(static_cast<EventKind>(event.kind)) && event.task_no >= static_cast<int32_t>(result_.tasks.size()) && event.task_no < most_tasks)
            result_.tasks.resize(static_cast<std::size_t>(event.task_no) + 1);
        if (event.task_no < -1 || event.task_no >= static_cast<int32_t>(result_.tasks.size())) {
            contradict(event, "belongs to no task");
            return;
        }
        const bool of_run = event.task_no == -1;
        Replayed &row = of_run ? result_.run : result_.tasks[static_cast<std::size_t>(event.task_no)];
        if (event.no != ++row.events) {
            contradict(event, "should be number " + std::to_string(row.events));
            row.events = event.no;
        }
        if (of_run) add_to_run(event, row);
        else add_to_task(event, row);
    }

    void add_to_run(const RecordedEvent &event, Replayed &row)
    {
        const auto kind = static_cast<EventKind>(event.kind);
        const bool first = row.state == 0;
        const std::optional<char> next = !first                             ? run_state_after(row.state, kind)
                                         : kind == EventKind::run_triggered ? std::optional(first_run_state)
                                                                            : std::nullopt;
        if (!next) {
            contradict(event, first ? "comes before run_triggered" : "happened to a run that was " + std::string(run_state_name(row.state)));
            return;
        }
        row.state = *next;
        if (is_final(row.state)) row.output_no = event.no;
        if (kind != EventKind::run_reopened) return;
        row.output_no = 0;
        for (std::size_t t = 0; t < plan_.tasks.size(); t++) {
            Replayed &task = result_.tasks[t];
            if (is_reset_by_reopening(task.state, plan_.tasks[t].is_finally))
                task = {.state = task_state::pending, .events = task.events, .output_no = 0, .attempt = task.attempt, .attempts_before = task.attempt};
        }
    }

    static bool is_by_fallback(char state, EventKind kind)
    {
        return kind == EventKind::task_succeeded && (state == task_state::pending || state == task_state::ready);
    }
    // What code made is not in the plan.
    bool may_fall_back(int32_t task_no) const
    {
        const auto task = static_cast<std::size_t>(task_no);
        return task >= plan_.tasks.size() || plan_.tasks[task].has_fallback;
    }

    void add_to_task(const RecordedEvent &event, Replayed &row)
    {
        const auto kind = static_cast<EventKind>(event.kind);
        const std::optional<char> next = !brings_its_state(kind)                   ? task_state_after(row.state, kind)
                                         : may_bring(row.state, kind, event.state) ? std::optional(event.state)
                                                                                   : std::nullopt;
        if (!next || (is_by_fallback(row.state, kind) && !may_fall_back(event.task_no))) {
            contradict(event, "happened to a task that was " + (row.state == 0 ? "not there" : std::string(task_state_name(row.state))));
            return;
        }
        const char before = row.state;
        row.state = *next;
        if (kind == EventKind::task_started) row.attempt++;
        if (kind == EventKind::task_released) row.attempts_before++;
        // Its number is given back, and what went wrong before counts no more: the code has come further.
        if (kind == EventKind::task_suspended) row.attempts_before = --row.attempt;
        if (kind == EventKind::step_recorded) row.output_no = event.no;
        if (kind == EventKind::task_reopened) row.output_no = 0, row.attempts_before = row.attempt;
        if (kind == EventKind::task_succeeded || kind == EventKind::task_failed || kind == EventKind::task_timed_out) row.output_no = event.no;
        // One that ran says what became of it, or why it has nothing to do; the others had nothing to say.
        if ((kind == EventKind::task_cancelled || kind == EventKind::task_skipped) && before == task_state::running) row.output_no = event.no;
    }

    // What the engine's next look makes ready, or made ready already. What else it would decide comes with an event of its own.
    void make_ready()
    {
        const char state = result_.run.state;
        if (state != run_state::running && state != run_state::cancelling) return;
        std::vector<char> states;
        states.reserve(plan_.tasks.size());
        for (std::size_t t = 0; t < plan_.tasks.size(); t++) states.push_back(result_.tasks[t].state);
        Advance advance(plan_, states, state == run_state::cancelling ? Ending::cancelled : Ending::none, false, '\0');
        while (auto decision = advance.next()) {
            const auto task = static_cast<std::size_t>(decision->task);
            if (decision->verdict != Verdict::start || runs_in_engine(plan_.tasks[task].executor)) continue;
            result_.tasks[task].state = task_state::ready;
            advance.set(decision->task, task_state::ready);
        }
    }

    void contradict(const RecordedEvent &event, const std::string &what)
    {
        std::string name(event_kind_name(event.kind));
        if (name.empty()) name = "of the unknown kind " + std::to_string(event.kind);
        result_.contradictions.push_back({event.task_no, "event " + std::to_string(event.no) + ", " + name + ", " + what});
    }

    const Plan &plan_;
    ReplayedRun result_;
};

}  // namespace

ReplayedRun replay(const Plan &plan, std::span<const RecordedEvent> events) { return Fold(plan, events).take(); }

}  // namespace orch::core
