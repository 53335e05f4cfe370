// What this bridge counts of itself.
#pragma once

#include "metrics/exposition.hpp"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <chrono>
#include <string_view>
#include <vector>

namespace orch::bridge {

struct Bridge;

class Meters {
public:
    Meters();

    /// `route` is a pattern and never a path, so that there are as many as there are routes; empty where none fitted.
    void count_request(std::string_view method, std::string_view route, int status, std::chrono::microseconds duration);

    /// With what is so at the moment: streams, connections.
    [[nodiscard]] std::vector<Family> collect(const Bridge &bridge) const;

private:
    prometheus::Registry registry_;
    prometheus::Family<prometheus::Counter> &requests_;
    prometheus::Family<prometheus::Histogram> &durations_;
};

}  // namespace orch::bridge
