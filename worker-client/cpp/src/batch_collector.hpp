#pragma once

#include "orch/worker.hpp"

#include <condition_variable>
#include <mutex>
#include <vector>

namespace orch {

/// Makes one call of a batch handler out of tasks that each run on a thread of its own: the first to come waits a moment for others, or as long as a
/// call is under way, and makes the call for all that came; the others wait for it.
class batch_collector {
public:
    batch_collector(int most, batch_function function) : most_(static_cast<size_t>(most)), function_(std::move(function)) {}

    /// As a handler.
    json run(task_context &task, json input);

private:
    struct batch {
        std::vector<batch_item> items;
        bool taken = false, done = false;
        std::exception_ptr thrown;
    };
    void call(batch &one);

    size_t most_;
    batch_function function_;
    std::mutex lock_;
    std::condition_variable changed_;
    std::shared_ptr<batch> filling_;
    bool calling_ = false;
};

}  // namespace orch
