#include "work/deliveries.hpp"

#include "orch/worker.hpp"

#include <spdlog/spdlog.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace orch::bridge {

using namespace std::chrono_literals;

struct Deliveries::State {
    explicit State(const Options &given) : options(given) {}

    orch::worker_options worker_options_of() const
    {
        orch::worker_options result;
        result.database = options.direct_database;
        result.commands = result.http = false;
        result.queues = {"orch.notifications"};
        result.notifications = true;
        result.refuse_private_addresses = options.refuse_private_addresses;
        result.concurrency = options.deliveries;
        result.lease_time = "60 s";
        result.drain = 5s;
        result.start_timeout = 1s;
        result.metadata = {{"program", "orch-bridge"}};
        // All tenants' notifications: what is sent where, the engine says for each lease.
        result.session = {"set role orch_worker", "set orch.tenant = '*'"};
        result.log = [](orch::log_level level, const std::string &text, const orch::task_context *) {
            if (level >= orch::log_level::warning) spdlog::warn("notifications: {}", text);
            else spdlog::debug("notifications: {}", text);
        };
        return result;
    }

    void run()
    {
        bool told = false;
        while (!stopped) {
            try {
                orch::worker worker(worker_options_of());
                {
                    const std::lock_guard hold(lock);
                    if (stopped) return;
                    running = &worker;
                }
                struct Leave {
                    State &state;
                    ~Leave()
                    {
                        const std::lock_guard hold(state.lock);
                        state.running = nullptr;
                    }
                } leave{*this};
                worker.run();
                return;
            } catch (const std::exception &error) {
                if (!std::exchange(told, true)) spdlog::warn("no notifications are sent: {}", error.what());
            }
            std::unique_lock hold(lock);
            changed.wait_for(hold, 5s, [&] { return stopped.load(); });
        }
    }

    Options options;
    std::mutex lock;
    std::condition_variable changed;
    orch::worker *running = nullptr;
    std::atomic<bool> stopped = false;
    std::thread thread;
};

Deliveries::Deliveries(const Options &options) : state_(std::make_shared<State>(options))
{
    if (options.deliveries > 0) state_->thread = std::thread([state = state_] { state->run(); });
}

Deliveries::~Deliveries()
{
    {
        const std::lock_guard hold(state_->lock);
        state_->stopped = true;
        if (state_->running) state_->running->stop();
    }
    state_->changed.notify_all();
    if (state_->thread.joinable()) state_->thread.join();
}

}  // namespace orch::bridge
