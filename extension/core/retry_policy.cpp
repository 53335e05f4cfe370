#include "core/retry_policy.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include "core/last_include.hpp"

namespace orch::core {
namespace {

constexpr std::array<std::string_view, 8> class_names = {"transient", "timeout", "validation", "resource", "infrastructure", "handler", "cancelled", "unknown"};

bool names_error(const std::vector<std::string> &list, const TaskError &error)
{
    const std::string_view class_name = error_class_name(error_class_from(error.error_class));
    const std::string exit_code = error.exit_code ? std::to_string(*error.exit_code) : std::string();
    return std::any_of(list.begin(), list.end(), [&](const std::string &entry) {
        return entry == class_name || (!error.code.empty() && entry == error.code) || (error.exit_code && entry == exit_code);
    });
}

}  // namespace

std::string_view error_class_name(ErrorClass error_class) { return class_names[static_cast<std::size_t>(error_class)]; }

ErrorClass error_class_from(std::string_view name)
{
    for (std::size_t i = 0; i < class_names.size(); i++)
        if (class_names[i] == name) return static_cast<ErrorClass>(i);
    return ErrorClass::unknown;
}

ErrorClass class_of_sqlstate(std::string_view sqlstate)
{
    const std::string_view group = sqlstate.substr(0, 2);
    if (sqlstate == "55P03" || group == "08" || group == "40" || group == "53" || group == "57") return ErrorClass::transient;
    if (group == "22" || group == "23" || group == "42") return ErrorClass::validation;
    return ErrorClass::unknown;
}

ErrorClass class_of_http_status(int status)
{
    if (status == 408 || status == 429) return ErrorClass::resource;
    if (status >= 500 && status <= 599) return ErrorClass::transient;
    if (status >= 400 && status <= 499) return ErrorClass::validation;
    return ErrorClass::unknown;
}

ErrorClass class_of_exit_code(int exit_code) { return exit_code == 0 ? ErrorClass::unknown : ErrorClass::handler; }

bool retried_by_default(ErrorClass error_class) { return error_class != ErrorClass::validation && error_class != ErrorClass::cancelled; }

bool opens_circuit(ErrorClass error_class)
{
    return error_class == ErrorClass::transient || error_class == ErrorClass::timeout || error_class == ErrorClass::resource ||
           error_class == ErrorClass::infrastructure;
}

double delay(const RetryPolicy &policy, int attempt, double random01, double asked)
{
    // Past 2^60 every cap is reached, and the power stays finite.
    const double growth = policy.exponential ? std::exp2(std::clamp(attempt - 1, 0, 60)) : 1.0;
    const double capped = std::min(policy.delay_seconds * growth, policy.max_delay_seconds);
    const double own = capped * (1.0 + std::clamp(random01, 0.0, 1.0) * policy.jitter);
    return asked > own ? std::min(asked, std::max(own, longest_asked_delay)) : own;
}

bool should_retry(const RetryPolicy &policy, const TaskError &error, int attempt, double elapsed_seconds, std::optional<bool> explicit_retry)
{
    if (attempt >= policy.max_attempts) return false;
    if (policy.max_elapsed_seconds > 0 && elapsed_seconds > policy.max_elapsed_seconds) return false;
    if (names_error(policy.no_retry_on, error)) return false;
    if (explicit_retry) return *explicit_retry;
    if (!policy.retry_on.empty()) return names_error(policy.retry_on, error);
    return retried_by_default(error_class_from(error.error_class));
}

}  // namespace orch::core
