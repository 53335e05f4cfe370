// Classes of task errors, whether a failed attempt is tried again, and after which delay.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace orch::core {

enum class ErrorClass : uint8_t { transient, timeout, validation, resource, infrastructure, handler, cancelled, unknown };

std::string_view error_class_name(ErrorClass error_class);
/// The class of that name; `unknown` for any other word.
ErrorClass error_class_from(std::string_view name);

ErrorClass class_of_sqlstate(std::string_view sqlstate);
ErrorClass class_of_http_status(int status);
/// Of a process that ended by itself with a code other than 0; one killed by a signal is `infrastructure`.
ErrorClass class_of_exit_code(int exit_code);

bool retried_by_default(ErrorClass error_class);
/// Whether a circuit counts errors of this class.
bool opens_circuit(ErrorClass error_class);

struct RetryPolicy {
    int max_attempts = 3;
    double delay_seconds = 1;
    bool exponential = true;
    double max_delay_seconds = 30;
    double jitter = 0.5;
    double max_elapsed_seconds = 0;     // 0 = no limit
    std::vector<std::string> retry_on;  // classes, codes or exit codes (in decimal); empty = by class
    std::vector<std::string> no_retry_on;
};

struct TaskError {
    std::string_view error_class;  // a name of an ErrorClass, or empty
    std::string_view code;         // SQLSTATE, HTTP status, a handler's own code, or empty
    std::optional<int> exit_code;
};

/// Longest wait that an error may ask for, in seconds.
inline constexpr double longest_asked_delay = 86'400;

/// Seconds to wait after failed attempt number `attempt` (from 1); random01 in [0, 1). The jitter comes on top of the cap. `asked`: what the error says that the next
/// attempt should wait at least, such as a Retry-After; past the cap too.
double delay(const RetryPolicy &policy, int attempt, double random01, double asked = 0);

/// Whether another attempt follows failed attempt number `attempt` (from 1). `elapsed_seconds`: from the start of the first attempt to the moment when the next one
/// would start, so that no attempt starts past the limit. A worker's explicit "no" and no_retry_on win over everything, then its explicit "yes", then retry_on, then the class.
bool should_retry(const RetryPolicy &policy, const TaskError &error, int attempt, double elapsed_seconds, std::optional<bool> explicit_retry);

}  // namespace orch::core
