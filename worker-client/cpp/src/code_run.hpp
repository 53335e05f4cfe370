#pragma once

#include "leased_task.hpp"
#include "orch/workflow.hpp"

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <unordered_set>

// One stretch of a code run: from the lease of its task `main` until it ends, is suspended or is lost. The coroutine lives no longer than that.
//
//   replay    the rows of the history are given to the code in the order in which it got them before. Between two of them it runs until it is blocked, which
//             is when no coroutine is ready. What it asks for must be what the rows hold.
//   live      what the code has asked for beyond the history: steps in place run here, all else is recorded as started. When nothing runs here and the code is
//             blocked, the run is suspended, and this object ends.
//
// All of it happens in one thread but for the functions of steps in place, which have a thread each where several were asked for at once.

namespace orch::detail {

/// One row of orch.history or orch.outcomes.
struct recorded {
    int no = 0;
    std::string id;
    json definition;
    std::string state;
    json output, error;
    int64_t ended = 0;  // microseconds; 0 where it has not
};

[[nodiscard]] inline bool is_final(std::string_view state)
{
    return state == "succeeded" || state == "failed" || state == "timed_out" || state == "skipped" || state == "upstream_failed" || state == "cancelled";
}

/// The timer between try number `attempt` of a step in place and the next.
[[nodiscard]] inline std::string retry_id(const std::string &id, int attempt) { return id + ":retry#" + std::to_string(attempt); }

/// One row of orch.updates.
struct update_asked {
    std::string id, name;
    json input;
};

/// What keeps the run: the engine, or the memory of a test.
class code_keeper {
public:
    virtual ~code_keeper() = default;
    [[nodiscard]] virtual std::vector<recorded> history(int after) = 0;
    virtual void record(const json &entries) = 0;
    /// True: the run is suspended. False: what it waits for has come.
    [[nodiscard]] virtual bool suspend(const json &waits) = 0;
    [[nodiscard]] virtual std::vector<recorded> outcomes(const std::vector<std::string> &ids) = 0;
    [[nodiscard]] virtual std::vector<update_asked> updates() = 0;
    virtual void park(const json &error) = 0;
    virtual void continue_as_new(const json &input) = 0;
    [[nodiscard]] virtual std::chrono::system_clock::time_point now() { return std::chrono::system_clock::now(); }
    /// Called before functions of steps in place are.
    virtual void before_steps() {}
    /// In bytes of JSON.
    [[nodiscard]] virtual size_t max_value() const { return size_t{1} << 20; }
    /// A function to be called in the place of the one that the code gives, for tests.
    [[nodiscard]] virtual const in_place *mocked(const std::string & /*name*/) const { return nullptr; }
    /// Short delays between the tries of a step in place are slept through here; a test does not.
    [[nodiscard]] virtual std::chrono::milliseconds longest_sleep() const { return std::chrono::seconds(5); }
};

/// The lease is gone, or the worker ends: nothing that this stretch does counts any more.
struct abandoned {};

class code_run {
public:
    code_run(leased_task &work, code_keeper &keeper, const workflow_function &function, std::string workflow, std::string version);
    ~code_run();
    code_run(const code_run &) = delete;
    code_run &operator=(const code_run &) = delete;

    /// What to settle `main` with; nothing where it was suspended, parked, continued or lost.
    [[nodiscard]] std::optional<outcome> run();
    /// What to settle a question with: replays what is recorded, goes no further, and asks the query of that name.
    [[nodiscard]] outcome answer(const std::string &name, const json &input);

    // What the context asks for.
    std::shared_ptr<op> begin(const std::string &name, json entry);
    std::shared_ptr<op> begin_in_place(const std::string &name, in_place function, json options);
    std::shared_ptr<op> begin_branch(orch::task<json> branch);
    std::shared_ptr<op> begin_condition(std::function<bool()> holds);
    json value(const std::string &name, const std::function<json()> &make);
    struct update {
        update_function handle;
        update_check check;
    };
    void add_query(std::string name, query_function answer) { queries_.insert_or_assign(std::move(name), std::move(answer)); }
    void add_update(std::string name, update added) { updates_.insert_or_assign(std::move(name), std::move(added)); }
    void tag(json tags);
    bool patched(std::string_view patch);
    void log(std::string_view line);
    [[nodiscard]] json load(const json &value) { return work_.load(value); }
    [[nodiscard]] std::chrono::system_clock::time_point now() { return keeper_.now(); }

    struct continued {  // thrown by continue_as_new, and no std::exception: the code's own `catch` should not meet it
        json input;
    };

private:
    struct local {  // a step in place
        std::shared_ptr<op> ended;
        std::string name;
        in_place function;
        json options;
        int attempt = 1;
        json result;  // its entry, or {"sleep"} where it is to be tried again so much later
    };
    using local_ptr = std::shared_ptr<local>;
    class step_context;

    void start();
    void load();
    void replay();
    void live();
    [[nodiscard]] bool suspend();
    [[nodiscard]] std::optional<outcome> ended();
    void run_ready();
    void finish(op &ended);
    void deliver(const recorded &row);
    recorded *take(const std::string &id, const json &entry);
    void append(json entry);
    void flush();
    void run_local();
    void run_attempts(local &step, const std::stop_token &stop);
    void cancel_awaits();
    bool take_updates();
    void begin_update(const std::string &id, const json &request);
    orch::task<json> handle_update(std::string id, const update &asked, json input);
    [[nodiscard]] std::string next_id(const std::string &name) { return name + "#" + std::to_string(++counts_[name]); }
    [[nodiscard]] bool replaying() const { return unissued_ > 0 || delivering_ || asking_; }
    [[nodiscard]] std::string what_is_missing() const;
    [[noreturn]] void throw_difference(const std::string &difference);

    leased_task &work_;
    code_keeper &keeper_;
    const workflow_function &function_;
    context context_;
    std::unordered_map<std::string, int> counts_;

    std::vector<recorded> rows_;
    std::unordered_map<std::string, size_t> by_id_;
    std::vector<bool> issued_;  // the code has asked for this row
    size_t unissued_ = 0;
    bool delivering_ = true;
    std::string new_while_replaying_, difference_;
    std::map<std::string, bool, std::less<>> patches_;

    std::deque<std::coroutine_handle<>> ready_;
    std::unordered_map<std::string, std::shared_ptr<op>> open_;  // asked for, kept by the engine, and not ended
    std::unordered_map<std::string, local_ptr> retry_timers_;    // those of open_ that stand for the delay of a step in place
    std::unordered_map<std::string, local_ptr> locals_;          // in place and not ended
    std::deque<local_ptr> to_run_;
    json entries_ = json::array();  // to be recorded
    json seen_ = json::array();     // given to the code since the last entry
    bool cancelled_ = false;

    std::mutex lock_;  // what the threads of steps in place share with this one
    std::condition_variable one_ended_;
    std::deque<local_ptr> ended_local_;
    std::map<local *, std::thread> threads_;
    std::stop_source steps_stop_, undo_stop_;  // the second is for steps that the code makes after a cancel
    std::stop_callback<std::function<void()>> stop_steps_;

    std::map<std::string, query_function> queries_;
    std::map<std::string, update> updates_;
    std::deque<std::pair<std::function<bool()>, std::shared_ptr<op>>> conditions_;
    bool asking_ = false;  // for a question: nothing goes out

    std::vector<std::coroutine_handle<>> branches_;
    size_t kept_branches_ = 64;
    std::shared_ptr<op> root_;
};

}  // namespace orch::detail
