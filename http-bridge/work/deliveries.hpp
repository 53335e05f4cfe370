#pragma once

#include "options.hpp"

#include <memory>

namespace orch::bridge {

/// Sends what notifications ask for: a worker of the client library, in threads and with a connection of its own, so that no receiver keeps the loop waiting.
class Deliveries {
public:
    explicit Deliveries(const Options &options);
    /// Sends nothing new, lets what is under way end, for a while.
    ~Deliveries();

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace orch::bridge
