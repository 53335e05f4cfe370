#include "code_run.hpp"

#include "executors.hpp"

#include <cmath>
#include <random>

// Steps in place: functions that run here, beside each other where several were asked for at once. What ended meanwhile is recorded together.

namespace orch::detail {
namespace {

constexpr size_t max_threads = 32;

}  // namespace

class code_run::step_context : public task_context {
public:
    step_context(leased_task &main, const std::string &id, int number, std::stop_token token, const json &options) : main_(main)
    {
        run_id = main.run_id;
        task_id = id;
        attempt = number;
        idempotency_key = main.run_id + ":" + id;
        traceparent = main.traceparent;
        stop = std::move(token);
        if (const double seconds = options.value("timeout_seconds", 0.0); seconds > 0)
            deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(static_cast<int64_t>(seconds * 1000));
    }
    void log(std::string_view line, std::string_view stream) override { main_.log(line, stream); }
    void progress(const json &details) override { main_.progress(details); }
    json load(const json &large) override { return main_.load(large); }

private:
    leased_task &main_;
};

void code_run::run_local()
{
    keeper_.before_steps();
    flush();
    const auto stop = (cancelled_ ? undo_stop_ : steps_stop_).get_token();
    const bool alone = to_run_.size() == 1 && threads_.empty();
    while (!to_run_.empty() && threads_.size() < max_threads) {
        auto step = to_run_.front();
        to_run_.pop_front();
        if (alone) {
            run_attempts(*step, stop);
            ended_local_.push_back(std::move(step));
            break;
        }
        auto *key = step.get();
        threads_.emplace(key, std::thread([this, step = std::move(step), stop] {
                             run_attempts(*step, stop);
                             const std::lock_guard hold(lock_);
                             ended_local_.push_back(step);
                             one_ended_.notify_one();
                         }));
    }
    std::deque<local_ptr> ended;
    {
        std::unique_lock hold(lock_);
        one_ended_.wait(hold, [&] { return !ended_local_.empty(); });
        ended.swap(ended_local_);
    }
    std::vector<recorded> rows;
    for (const auto &step : ended) {
        if (const auto thread = threads_.find(step.get()); thread != threads_.end()) {
            thread->second.join();
            threads_.erase(thread);
        }
        if (step->result.contains("sleep")) {
            auto waiting = std::make_shared<op>();
            waiting->id = retry_id(step->ended->id, step->attempt++);
            open_.emplace(waiting->id, waiting);
            retry_timers_.emplace(waiting->id, step);
            append({{"id", waiting->id}, {"sleep", step->result["sleep"]}});
            continue;
        }
        const bool failed = step->result.contains("error");
        // It was told to stop because this worker ends, or is not the run's any more: it has not failed.
        const auto why = work_.interrupted();
        if (failed && (why == leased_task::reason::lost || why == leased_task::reason::draining)) continue;
        recorded row;
        row.id = step->ended->id;
        row.state = failed ? "failed" : "succeeded";
        row.output = step->result.value("output", json());
        row.error = step->result.value("error", json());
        rows.push_back(std::move(row));
        append(std::move(step->result));
    }
    if (!rows.empty()) flush();
    for (const auto &row : rows) deliver(row);
}

void code_run::run_attempts(local &step, const std::stop_token &stop)
{
    const auto &id = step.ended->id;
    const int retries = step.options.value("retries", 2);
    const auto *mock = keeper_.mocked(step.name);
    const auto &function = mock ? *mock : step.function;
    static thread_local std::mt19937 dice{std::random_device{}()};
    for (;; ++step.attempt) {
        json failure;
        try {
            step_context task(work_, id, step.attempt, stop, step.options);
            const auto given = function(task);
            const auto kept = work_.kept(given);
            // What could not be stored would be refused with all that is recorded beside it.
            const auto checked = outcome::success(kept);
            if (checked.fields.starts_with("\"output\"") && checked.fields.size() <= keeper_.max_value()) {
                step.result = {{"id", id}, {"output", given}};
                return;
            }
            failure = checked.fields.starts_with("\"output\"") ? error_json("validation", "too_large",
                                                                            "the step's result of " + std::to_string(checked.fields.size()) +
                                                                                " bytes is over the limit of " + std::to_string(keeper_.max_value()) + " bytes")
                                                               : json::parse("{" + checked.fields + "}")["error"];
        } catch (...) {
            failure = thrown_error();
        }
        const auto kind = failure["class"].get<std::string>();
        if (kind == "validation" || kind == "cancelled" || step.attempt > retries || stop.stop_requested()) {
            step.result = {{"id", id}, {"error", failure}};
            return;
        }
        double seconds = step.options.value("retry_delay_seconds", 1.0);
        if (step.options.value("retry_backoff", "exponential") == "exponential") seconds *= std::pow(2.0, step.attempt - 1);
        seconds = std::min(seconds, step.options.value("retry_max_delay_seconds", 30.0));
        seconds *= 1 + step.options.value("retry_jitter", 0.5) * std::uniform_real_distribution<double>()(dice);
        const auto delay = std::chrono::milliseconds(static_cast<int64_t>(seconds * 1000));
        if (delay > keeper_.longest_sleep()) {
            step.result = {{"sleep", seconds}};
            return;
        }
        std::mutex own;
        std::unique_lock hold(own);
        std::condition_variable_any().wait_for(hold, stop, delay, [] { return false; });
    }
}

}  // namespace orch::detail
