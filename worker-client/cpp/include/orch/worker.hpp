#pragma once

#include "orch/error.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
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
};

/// Gets the task's input, returns its output; fails the attempt by an exception, best a task_error.
using handler_function = std::function<json(task_context &, json)>;

/// For drills: returns its input.
[[nodiscard]] json noop_handler(task_context &task, json input);
/// For drills: with {fail_times: n} fails the first n attempts, with {probability: p, seed: s} that share of all, always the same ones. Returns {attempt}.
[[nodiscard]] json flaky_handler(task_context &task, json input);

enum class log_level { debug, info, warning, error };

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
    json metadata = json::object();                         ///< Shown in orch.workers.
    std::function<void(log_level, const std::string &)> log{};  ///< What the worker has to say, from its loop's thread; default: nowhere.
};

/// Leases tasks, runs them and settles them, over one connection, until it is told to stop. Survives restarts of the server.
class worker {
public:
    explicit worker(worker_options options);
    ~worker();
    worker(const worker &) = delete;
    worker &operator=(const worker &) = delete;

    /// Serves tasks whose handler has this name. Call it before run.
    void handler(std::string name, handler_function function);

    /// Works until stop, in this thread and one more for each task. Throws orch::error when the first connection or the registration fails.
    void run();

    /// First call: lease no more, wait for what runs [drain], give the rest back. Second call: kill, give back, return at once. Safe in a signal handler.
    void stop() noexcept;

private:
    struct loop;
    std::shared_ptr<loop> loop_;
};

}  // namespace orch
