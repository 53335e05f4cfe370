#include "core/timeline.hpp"

#include <algorithm>
#include <tuple>

#include "core/last_include.hpp"

namespace orch::core {
namespace {

bool is_end(EventKind kind) { return kind >= EventKind::task_succeeded && kind <= EventKind::task_cancelled; }

// When things ended, and when the run was opened or reopened: all ascending.
struct Ends {
    std::vector<int64_t> openings;
    std::vector<std::vector<int64_t>> of_task;
    std::vector<std::pair<int64_t, int32_t>> of_main;  // (when, which) of all main tasks
};

Ends ends_of(const Plan &plan, std::span<const Moment> moments)
{
    Ends ends{{}, std::vector<std::vector<int64_t>>(plan.tasks.size()), {}};
    for (const Moment &m : moments) {
        if (m.task < 0) {
            if (m.kind == EventKind::run_started || m.kind == EventKind::run_reopened) ends.openings.push_back(m.at_us);
        } else if (is_end(m.kind)) {
            ends.of_task[m.task].push_back(m.at_us);
            if (m.task < plan.main_count) ends.of_main.emplace_back(m.at_us, m.task);
        }
    }
    std::sort(ends.openings.begin(), ends.openings.end());
    std::sort(ends.of_main.begin(), ends.of_main.end());
    return ends;
}

// The last moment not behind `until`; 0 where there is none.
int64_t last_of(const std::vector<int64_t> &times, int64_t until)
{
    const auto behind = std::upper_bound(times.begin(), times.end(), until);
    return behind == times.begin() ? 0 : *std::prev(behind);
}

struct Free {
    int64_t since = 0;
    int32_t after = -1;
};

// Since when nothing stood before a task that began at `until`, and which task's end that was.
Free free_since(const Plan &plan, const Ends &ends, int32_t task, int64_t until)
{
    Free free{last_of(ends.openings, until), -1};
    const auto consider = [&](int64_t end, int32_t parent) {
        if (end != 0 && end >= free.since) free = {end, parent};
    };
    const PlannedTask &planned = plan.tasks[task];
    for (int32_t parent : planned.parents) consider(last_of(ends.of_task[parent], until), parent);
    if (planned.is_finally && planned.parents.empty()) {
        const auto behind = std::upper_bound(ends.of_main.begin(), ends.of_main.end(), std::pair<int64_t, int32_t>(until, INT32_MAX));
        if (behind != ends.of_main.begin()) consider(std::prev(behind)->first, std::prev(behind)->second);
    }
    if (free.since == 0) free.since = until;
    return free;
}

// One task's way through its moments: at any time it lies on one account.
class Account {
public:
    Account(const Plan &plan, const Ends &ends, int32_t task) : plan_(plan), ends_(ends), task_(task) {}

    void add(const Moment &m)
    {
        switch (m.kind) {
        case EventKind::task_started: start(m.at_us); break;
        case EventKind::timer_created:
        case EventKind::task_waiting:
        case EventKind::child_started: on_ = On::asleep; break;
        case EventKind::task_suspended:
            close(m.at_us);
            open(On::asleep, m.at_us);
            break;
        case EventKind::task_retry_scheduled:
            close(m.at_us);
            open(On::delayed, m.at_us);
            due_ = std::max(m.due_us, m.at_us);
            break;
        case EventKind::task_released:
            close(m.at_us);
            open(On::queued, m.at_us);
            break;
        default:
            if (is_end(m.kind)) end(m.at_us);
        }
    }

    TaskTime now(char state, int64_t now_us)
    {
        time_.over = is_final(state);  // one that was reopened and has not begun again is not
        if (!is_final(state) && on_ == On::nothing && state == task_state::ready) {
            wait_since_free(now_us);
            open(On::queued, time_.ready_us);
        }
        if (on_ != On::nothing) {
            close(now_us);
            time_.ended_us = now_us;
        }
        return time_;
    }

private:
    enum class On : uint8_t { nothing, queued, running, asleep, delayed };

    void open(On on, int64_t at) { on_ = on, since_ = at; }

    void close(int64_t at)
    {
        const int64_t length = std::max<int64_t>(at - since_, 0);
        switch (on_) {
        case On::queued: time_.queued_us += length; break;
        case On::running: time_.running_us += length; break;
        case On::asleep: time_.waiting_us += length; break;
        case On::delayed: {
            // What comes behind the delay is queueing.
            const int64_t delay = std::clamp<int64_t>(due_ - since_, 0, length);
            time_.waiting_us += delay;
            time_.queued_us += length - delay;
            break;
        }
        case On::nothing: break;
        }
        on_ = On::nothing;
    }

    void wait_since_free(int64_t until)
    {
        const Free free = free_since(plan_, ends_, task_, until);
        if (!time_.began) time_.ready_us = free.since;
        time_.after = free.after;
        time_.began = true;
        since_free_ = free.since;
    }

    void start(int64_t at)
    {
        if (on_ == On::nothing) {
            wait_since_free(at);
            open(On::queued, since_free_);
        }
        close(at);
        if (time_.started_us == 0) time_.started_us = at;
        time_.attempts++;
        open(On::running, at);
    }

    void end(int64_t at)
    {
        if (on_ == On::nothing) wait_since_free(at);
        close(at);
        time_.ended_us = at;
    }

    const Plan &plan_;
    const Ends &ends_;
    int32_t task_;
    TaskTime time_;
    On on_ = On::nothing;
    int64_t since_ = 0, due_ = 0, since_free_ = 0;
};

void mark_critical_path(const Plan &plan, std::vector<TaskTime> &times)
{
    int32_t last = -1;
    for (size_t t = 0; t < times.size(); t++) {
        if (!times[t].began) continue;
        const auto key = [&](size_t i) { return std::tuple(times[i].ended_us, plan.tasks[i].level, times[i].attempts); };
        if (last < 0 || key(t) > key(last)) last = static_cast<int32_t>(t);
    }
    // A task marked before ends it: moments of equal time may lead in a circle only through a broken history.
    for (; last >= 0 && !times[last].on_critical_path; last = times[last].after) times[last].on_critical_path = true;
}

}  // namespace

std::vector<TaskTime> timeline(const Plan &plan, std::span<const Moment> moments, std::span<const char> states, int64_t now_us)
{
    const Ends ends = ends_of(plan, moments);
    std::vector<Account> accounts;
    accounts.reserve(plan.tasks.size());
    for (size_t t = 0; t < plan.tasks.size(); t++) accounts.emplace_back(plan, ends, static_cast<int32_t>(t));
    for (const Moment &m : moments)
        if (m.task >= 0) accounts[m.task].add(m);
    std::vector<TaskTime> times;
    times.reserve(accounts.size());
    for (size_t t = 0; t < accounts.size(); t++) times.push_back(accounts[t].now(states[t], now_us));
    mark_critical_path(plan, times);
    return times;
}

}  // namespace orch::core
