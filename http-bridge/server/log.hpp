// Log lines are JSON, one object a line, on the standard error output. What was sent or answered is never in them: ids, names, sizes and times are.
#pragma once

#include "server/request.hpp"

#include <chrono>
#include <string>
#include <string_view>

namespace orch::bridge {

void set_up_log(const std::string &level);

struct AccessRecord {
    const Request &request;
    std::string_view route;  ///< its pattern; empty where none fitted
    int status;
    size_t bytes;
    std::chrono::microseconds duration;
};
void log_access(const AccessRecord &record);

}  // namespace orch::bridge
