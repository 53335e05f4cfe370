#include "orch/worker.hpp"

#include "loop.hpp"

namespace orch {

worker::worker(worker_options options) : loop_(std::make_shared<loop>(std::move(options))) {}
worker::~worker() = default;

void worker::handler(std::string name, handler_function function) { loop_->handlers.insert_or_assign(std::move(name), std::move(function)); }

void worker::run() { loop_->run(); }
void worker::stop() noexcept { loop_->stop(); }

}  // namespace orch
