#include "task_pool.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <condition_variable>
#include <deque>
#include <thread>

namespace orch {

struct task_pool::state {
    ~state() { ::close(event); }
    std::function<outcome(leased_task &)> run;
    int event = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    std::mutex lock;
    std::condition_variable changed;
    std::deque<std::shared_ptr<leased_task>> waiting;
    std::vector<finished> done;
    std::vector<std::thread> threads;
    size_t idle = 0;
    size_t busy = 0;
    bool ending = false;
};

task_pool::task_pool(std::function<outcome(leased_task &)> run) : state_(std::make_shared<state>()) { state_->run = std::move(run); }

task_pool::~task_pool()
{
    std::unique_lock hold(state_->lock);
    state_->ending = true;
    state_->changed.notify_all();
    const bool stuck = state_->busy > 0;
    auto threads = std::move(state_->threads);
    hold.unlock();
    for (auto &thread : threads) stuck ? thread.detach() : thread.join();
}

void task_pool::start(std::shared_ptr<leased_task> leased)
{
    const std::lock_guard hold(state_->lock);
    state_->waiting.push_back(std::move(leased));
    if (state_->waiting.size() > state_->idle) state_->threads.emplace_back(work, state_);
    else state_->changed.notify_one();
}

void task_pool::work(const std::shared_ptr<state> &shared)
{
    std::unique_lock hold(shared->lock);
    for (;;) {
        ++shared->idle;
        shared->changed.wait(hold, [&] { return shared->ending || !shared->waiting.empty(); });
        --shared->idle;
        if (shared->ending) return;
        auto leased = std::move(shared->waiting.front());
        shared->waiting.pop_front();
        ++shared->busy;
        hold.unlock();
        auto ended = shared->run(*leased);
        hold.lock();
        --shared->busy;
        shared->done.emplace_back(std::move(leased), std::move(ended));
        ::eventfd_write(shared->event, 1);
    }
}

int task_pool::event() const noexcept { return state_->event; }
void task_pool::wake() const noexcept { ::eventfd_write(state_->event, 1); }

std::vector<task_pool::finished> task_pool::take_finished()
{
    const std::lock_guard hold(state_->lock);
    eventfd_t count = 0;
    ::eventfd_read(state_->event, &count);
    return std::move(state_->done);
}

}  // namespace orch
