#pragma once

// Workers made of nothing but orch.exchange and orch.await_work: a thread and a connection each, results of no work at all.
#include "database.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace orch_bench {

using Clock = std::chrono::steady_clock;

inline double seconds_since(Clock::time_point began) { return std::chrono::duration<double>(Clock::now() - began).count(); }

class Workers {
public:
    /// They connect, register and stand ready; nothing is leased before start().
    Workers(int count, int batch, const std::string &handler) : batch_(std::to_string(batch)), stop_(eventfd(0, EFD_CLOEXEC))
    {
        for (int i = 0; i < count; ++i) {
            auto one = std::make_unique<Worker>();
            one->id = "bench-" + std::to_string(i);
            one->database.query("select orch.worker_start($1, handlers => array[$2])", {one->id, handler});
            one->database.prepare("exchange", "select status, lease, run_id, task_id, attempt, handler, spec, input from orch.exchange($1, $2::jsonb, $3)");
            one->database.prepare("wait", "call orch.await_work($1)");
            workers_.push_back(std::move(one));
        }
    }
    Workers(const Workers &) = delete;
    Workers &operator=(const Workers &) = delete;
    ~Workers()
    {
        finish();
        close(stop_);
    }

    /// Leases and settles until `goal` tasks are settled (0: until finish()).
    void start(long goal)
    {
        goal_ = goal;
        for (auto &worker : workers_) worker->thread = std::thread([this, one = worker.get()] { life(*one); });
    }

    /// Until the goal is reached; seconds from `began` to the answer that told so. Rethrows what ended a worker.
    double wait(Clock::time_point began)
    {
        std::unique_lock lock(mutex_);
        reached_.wait(lock, [this] { return error_ || (goal_ > 0 && settled_ >= goal_); });
        if (error_) std::rethrow_exception(error_);
        return std::chrono::duration<double>(end_ - began).count();
    }

    /// Ends all, and their sessions, so that the server has counted what they did.
    void finish()
    {
        const uint64_t one = 1;
        (void)!write(stop_, &one, sizeof one);
        for (auto &worker : workers_)
            if (worker->thread.joinable()) worker->thread.join();
        for (auto &worker : workers_) {
            calls_.insert(calls_.end(), worker->calls.begin(), worker->calls.end());
            worker->calls.clear();
        }
        workers_.clear();
        if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
    }

    /// JSON: seconds from `began` at which each tenth of the goal was settled.
    [[nodiscard]] std::string tenths(Clock::time_point began) const
    {
        std::string json = "[";
        for (const auto &at : tenths_) json.append(json.size() > 1 ? "," : "").append(std::to_string(std::chrono::duration<double>(at - began).count()));
        return json + "]";
    }
    [[nodiscard]] long settled() const { return settled_; }
    /// Milliseconds of each exchange that settled or brought something; after finish().
    [[nodiscard]] std::vector<double> &calls() { return calls_; }

private:
    struct Worker {
        std::string id;
        Database database;
        std::thread thread;
        std::vector<double> calls;
    };

    void life(Worker &worker)
    {
        try {
            std::string results = "[]";
            for (long held = 0; held > 0 || !stopped();) {
                const auto began = Clock::now();
                const Rows rows = worker.database.run("exchange", {worker.id, results, stopped() ? "0" : batch_});
                if (held > 0) note_settled(held);
                held = rows.count();
                results = results_of(rows);
                if (held > 0 || results.size() > 2) worker.calls.push_back(seconds_since(began) * 1000);
                if (held == 0 && !stopped()) sleep(worker);
            }
        } catch (...) {
            const std::lock_guard lock(mutex_);
            if (!error_) error_ = std::current_exception();
            reached_.notify_all();
        }
    }

    static std::string results_of(const Rows &rows)
    {
        std::string results = "[";
        for (int row = 0; row < rows.count(); ++row) {
            if (std::string_view(rows.at(row, 0)) != "leased")
                throw std::runtime_error("a result was refused: " + std::string(rows.at(row, 0)) + " for " + rows.at(row, 1));
            results.append(row > 0 ? "," : "").append(R"({"lease":")").append(rows.at(row, 1)).append(R"(","output":{}})");
        }
        return results + "]";
    }

    void note_settled(long count)
    {
        const long before = settled_.fetch_add(count);
        if (goal_ == 0) return;
        for (long tenth = before * 10 / goal_ + 1; tenth <= std::min(10L, (before + count) * 10 / goal_); ++tenth)
            tenths_[static_cast<size_t>(tenth - 1)] = Clock::now();
        if (before >= goal_ || before + count < goal_) return;
        const std::lock_guard lock(mutex_);
        end_ = Clock::now();
        reached_.notify_all();
    }

    void sleep(Worker &worker)
    {
        worker.database.send("wait", {worker.id});
        pollfd places[] = {{worker.database.socket(), POLLIN, 0}, {stop_, POLLIN, 0}};
        poll(places, 2, -1);
        // Bytes that the server reads together with the call do not end it, so one nudge may be too early.
        int nudges = 0;
        for (; (places[0].revents & POLLIN) == 0; ++nudges) {
            worker.database.nudge();
            poll(places, 1, 50);
        }
        for (; nudges > 0; --nudges) worker.database.receive();
        worker.database.receive();
    }

    [[nodiscard]] bool stopped() const
    {
        pollfd place{stop_, POLLIN, 0};
        return goal_reached() || poll(&place, 1, 0) > 0;
    }
    [[nodiscard]] bool goal_reached() const { return goal_ > 0 && settled_ >= goal_; }

    std::string batch_;
    int stop_;
    long goal_ = 0;
    std::atomic<long> settled_ = 0;
    std::vector<std::unique_ptr<Worker>> workers_;
    std::vector<double> calls_;
    std::mutex mutex_;
    std::condition_variable reached_;
    std::array<Clock::time_point, 10> tenths_;
    Clock::time_point end_;
    std::exception_ptr error_;
};

}  // namespace orch_bench
