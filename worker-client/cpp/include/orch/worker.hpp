#pragma once

#include "orch/error.hpp"
#include "orch/payloads.hpp"
#include "orch/task.hpp"
#include "orch/workflow.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace orch {

using json = nlohmann::json;

/// One attempt of one task, as its handler sees it. Lives until the handler returns; safe to use from one thread at a time.
class task_context {
public:
    virtual ~task_context() = default;

    std::string run_id;
    std::string task_id;
    int attempt = 1;                                                ///< From 1.
    std::string idempotency_key;                                    ///< The same in every attempt: hand it to systems that can tell repeats by it.
    std::string traceparent;                                        ///< W3C trace context; may be empty.
    std::optional<std::chrono::steady_clock::time_point> deadline;  ///< When this attempt times out.
    json previous_progress;                                         ///< What an attempt before this one told last, to go on from; null where none did.
    /// Set at cancel, timeout, a lost lease or the end of a drain: stop soon, what is returned then may not count.
    std::stop_token stop;

    /// Adds a line to orch.logs. At most 10,000 lines or 1 MiB an attempt are kept; the rest is dropped.
    virtual void log(std::string_view line, std::string_view stream = "log") = 0;
    /// Goes with the next heartbeat: shown in orch.attempts and orch.tasks, and given to the next attempt as previous_progress. What is told in between
    /// replaces what was told before. Throws std::length_error above 4 KiB of JSON.
    virtual void progress(const json &details) = 0;
    /// What a reference to a large value stands for, fetched now; any other value as it is.
    [[nodiscard]] virtual json load(const json &value) { return value; }
};

/// Gets the task's input, returns its output; fails the attempt by an exception, best a task_error.
using handler_function = std::function<json(task_context &, json)>;

/// For drills: returns its input.
[[nodiscard]] json noop_handler(task_context &task, json input);
/// For drills: with {fail_times: n} fails the first n attempts, with {probability: p, seed: s} that share of all, always the same ones. Returns {attempt}.
[[nodiscard]] json flaky_handler(task_context &task, json input);

/// A handler as a class, for one that has something to hold: connections, a model, settings. Shared by all tasks that run at once.
class executor {
public:
    virtual ~executor() = default;
    /// The name that definitions call it by: `handler: NAME`.
    [[nodiscard]] virtual std::string name() const = 0;
    /// Gets what the task's `input` says, returns the output. May be called by several threads.
    virtual json run(task_context &task, json input) = 0;
};

/// One task of a batch. One that is neither completed nor failed nor skipped when the batch handler returns has failed.
class batch_item {
public:
    batch_item(task_context &task, json input) : task(task), input(std::move(input)) {}

    void complete(json output) { output_ = std::move(output); }
    void fail(task_error error) { error_ = std::make_exception_ptr(std::move(error)); }
    void skip(const std::string &reason = "") { error_ = std::make_exception_ptr(skip_task(reason)); }

    task_context &task;
    json input;

private:
    friend class batch_collector;
    std::optional<json> output_;
    std::exception_ptr error_;
};

/// Gets tasks that came together; settles each by itself. What it throws fails those that it has not settled.
using batch_function = std::function<void(std::span<batch_item>)>;

struct handler_options {
    int concurrency = 0;  ///< Tasks of this handler at once, beside those of the others; 0: it shares worker_options::concurrency.
    /// Each call runs in a process of its own, and is killed where it does not stop in time (worker_options::grace). A thread cannot be. The processes are forked
    /// from one that is forked when the handler is added, so add it before the program starts threads; the call sees this program's memory as it was then.
    bool isolate = false;
};

enum class log_level { debug, info, warning, error };

/// Hears of a worker's work, to count it. Called by the threads of the worker's loops, so by one or more.
class observer {
public:
    virtual ~observer() = default;
    /// `handler` is a handler's name, or `:command`, `:http`.
    virtual void started(std::string_view /*handler*/) {}
    /// `outcome` is succeeded, failed, timed_out, cancelled, skipped, lost (given to another worker meanwhile) or released (given back).
    virtual void ended(std::string_view /*handler*/, std::string_view /*outcome*/, std::chrono::duration<double> /*took*/) {}
    /// The engine did not take a result: `status` is its word for why.
    virtual void refused(std::string_view /*status*/) {}
    virtual void reconnected() {}
};

struct worker_options {
    std::string database{};  ///< libpq URL or string; empty: the PG* environment.
    std::string id{};        ///< Unique among living workers; empty: made from host, process and chance.
    std::vector<std::string> queues{"default"};
    bool commands = true;                                   ///< Serve the `command` executor.
    bool http = true;                                       ///< Serve the `http` executor.
    std::string secrets_dir{};                              ///< Where a file NAME holds {{ secrets.NAME }}; ORCH_SECRET_NAME of the environment comes first.
    int concurrency = 1;                                    ///< Tasks at once, each on a thread of its own.
    std::string lease_time{};                               ///< A PostgreSQL interval; empty: the server's default.
    std::chrono::milliseconds drain{30'000};                ///< How long running tasks may go on after the first stop.
    std::chrono::milliseconds grace{5'000};                 ///< From SIGTERM to SIGKILL for a command that must stop.
    std::chrono::milliseconds start_timeout{30'000};        ///< How long to try the first connection; later ones are tried for ever.
    std::optional<std::chrono::milliseconds> until_idle{};  ///< Return after this long without any work.
    std::shared_ptr<const orch::payloads> payloads{};       ///< Where values too large for the database go, and what hides them; default: nowhere, nothing.
    /// Where to wait for hints while there is nothing to do, without a connection to the database: redis://[[user]:password@]host[:port][/database] or unix:///socket[?db=number].
    /// Empty: wait in the database, over the one connection.
    std::string redis{};
    std::chrono::milliseconds redis_poll{5'000};    ///< How often to look for work while no hints come; about twelve times as long while they do.
    std::chrono::milliseconds redis_linger{2'000};  ///< How long to keep the connection after the last task.
    json metadata = json::object();                 ///< Shown in orch.workers.
    bool notifications = false;                     ///< Send what orch.notify_on asks for.
    bool refuse_private_addresses = false;          ///< Send no notification to a loopback, link-local or private address.
    std::vector<std::string> session{};             ///< Statements for each new connection, like `set role`; not behind a pooler, where they would not last.
    /// Behind a pooler that gives connections away between transactions: look for work again and again, do not wait in the database. Default: what the URL says.
    std::optional<bool> pooled{};
    /// What the worker has to say, and about which task, where it is about one; from its loops' threads. Default: nowhere.
    std::function<void(log_level, const std::string &, const task_context *)> log{};
    std::shared_ptr<orch::observer> observer{};  ///< Hears what is started and ended.
};

/// Leases tasks, runs them and settles them, over one connection, until it is told to stop. Survives restarts of the server.
class worker {
public:
    explicit worker(worker_options options);
    ~worker();
    worker(const worker &) = delete;
    worker &operator=(const worker &) = delete;

    /// Serves tasks whose handler has this name. Call it before run. With a concurrency of its own it is to the engine a worker of its own, ID/NAME.
    void handler(std::string name, handler_function function, handler_options options = {});
    void handler(std::shared_ptr<executor> served, handler_options options = {});
    /// The same for a coroutine: `[](orch::task_context &, json input) -> orch::task<json>`. It runs in the task's thread, which blocks while it is suspended.
    template <class F>
        requires std::same_as<std::invoke_result_t<F &, task_context &, json>, task<json>>
    void handler(std::string name, F function, handler_options options = {})
    {
        auto blocking = [function = std::move(function)](task_context &task, json input) mutable { return detail::wait_for(function(task, std::move(input))); };
        handler(std::move(name), handler_function(std::move(blocking)), options);
    }
    /// Serves up to `most` tasks of this handler with one call, those that are there when the call before it has returned.
    void batch_handler(const std::string &name, int most, batch_function function);

    /// Serves the runs of a workflow in code that were started with this version label, and registers it at the start. Call it before run.
    void workflow(std::string name, workflow_function function, workflow_options options = {});

    /// Works until stop, in this thread and one more for each task. Throws orch::error when the first connection or the registration fails.
    void run();

    /// First call: lease no more, wait for what runs [drain], give the rest back. Second call: kill, give back, return at once. Safe in a signal handler.
    void stop() noexcept;

private:
    struct loop;
    std::shared_ptr<loop> loop_;
    std::vector<std::shared_ptr<loop>> apart_;  // of the handlers that have a concurrency of their own
};

}  // namespace orch
