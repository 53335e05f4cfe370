#include "batch_collector.hpp"

namespace orch {
namespace {

// Tasks of one lease start within this of each other.
constexpr std::chrono::milliseconds company{20};

}  // namespace

void batch_collector::call(batch &one)
{
    try {
        function_(one.items);
    } catch (...) {
        one.thrown = std::current_exception();
    }
}

json batch_collector::run(task_context &task, json input)
{
    std::unique_lock hold(lock_);
    const bool leads = !filling_;
    if (leads) {
        filling_ = std::make_shared<batch>();
        filling_->items.reserve(most_);  // nobody's item moves
    }
    const auto mine = filling_;
    const size_t place = mine->items.size();
    mine->items.emplace_back(task, std::move(input));
    if (mine->items.size() == most_) {
        filling_.reset();
        changed_.notify_all();
    }
    if (leads) {
        changed_.wait_for(hold, company, [&] { return filling_ != mine; });
        changed_.wait(hold, [&] { return !calling_; });
        if (filling_ == mine) filling_.reset();
        calling_ = true;
        hold.unlock();
        call(*mine);
        hold.lock();
        calling_ = false;
        mine->done = true;
        changed_.notify_all();
    } else {
        changed_.wait(hold, [&] { return mine->done; });
    }
    auto &item = mine->items[place];
    if (item.error_) std::rethrow_exception(item.error_);
    if (item.output_) return *std::move(item.output_);
    if (mine->thrown) std::rethrow_exception(mine->thrown);
    throw task_error("handler", "no_result", "the batch handler said nothing of this task");
}

}  // namespace orch
