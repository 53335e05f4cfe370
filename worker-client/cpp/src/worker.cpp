#include "orch/worker.hpp"

#include "batch_collector.hpp"
#include "isolated.hpp"
#include "loop.hpp"

#include <exception>
#include <mutex>
#include <thread>

namespace orch {

worker::worker(worker_options options) : loop_(std::make_shared<loop>(std::move(options))) {}
worker::~worker() = default;

void worker::handler(std::string name, handler_function function, handler_options options)
{
    if (options.isolate) function = isolated(function, loop_->options.grace, loop_->options.payloads);
    if (options.concurrency <= 0) {
        loop_->handlers.insert_or_assign(std::move(name), std::move(function));
        return;
    }
    auto own = loop_->options;
    own.id += "/" + name;
    own.commands = own.http = false;
    own.concurrency = options.concurrency;
    auto apart = std::make_shared<loop>(std::move(own));
    apart->company = loop_->company;
    apart->handlers.emplace(std::move(name), std::move(function));
    apart_.push_back(std::move(apart));
}

void worker::handler(std::shared_ptr<executor> served, handler_options options)
{
    auto name = served->name();
    handler(
        std::move(name), [served = std::move(served)](task_context &task, json input) { return served->run(task, std::move(input)); }, options);
}

void worker::batch_handler(const std::string &name, int most, batch_function function)
{
    auto collector = std::make_shared<batch_collector>(std::max(most, 1), std::move(function));
    handler(name, [collector](task_context &task, json input) { return collector->run(task, std::move(input)); }, {.concurrency = std::max(most, 1)});
}

void worker::run()
{
    if (apart_.empty()) return loop_->run();
    std::mutex lock;
    std::exception_ptr failure;
    const auto work = [&](loop &one) {
        try {
            one.run();
        } catch (...) {
            const std::lock_guard hold(lock);
            if (!failure) failure = std::current_exception();
            stop();
        }
    };
    std::vector<std::thread> threads;
    threads.reserve(apart_.size());
    for (const auto &one : apart_) threads.emplace_back([&work, &one] { work(*one); });
    if (!loop_->handlers.empty() || !loop_->workflows.empty() || loop_->options.commands || loop_->options.http) work(*loop_);
    for (auto &thread : threads) thread.join();
    if (failure) std::rethrow_exception(failure);
}

void worker::stop() noexcept
{
    loop_->stop();
    for (const auto &one : apart_) one->stop();
}

void worker::workflow(std::string name, workflow_function function, workflow_options options)
{
    auto key = std::pair(std::move(name), options.version);
    loop_->workflows.insert_or_assign(std::move(key), std::pair(std::move(function), std::move(options)));
}

}  // namespace orch
