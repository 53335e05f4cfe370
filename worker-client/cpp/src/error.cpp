#include "orch/error.hpp"

namespace orch {

std::string_view class_of_sqlstate(std::string_view sqlstate) noexcept
{
    if (sqlstate == "55P03") return "transient";
    const auto group = sqlstate.substr(0, 2);
    if (group == "08" || group == "40" || group == "53" || group == "57") return "transient";
    if (group == "22" || group == "23" || group == "42") return "validation";
    return "unknown";
}

bool error::retryable() const noexcept { return class_of_sqlstate(code) == "transient"; }

}  // namespace orch
