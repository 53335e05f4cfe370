// orch.audit: what administrators did, a row each, which nobody can change.
#pragma once

#include "core/json.hpp"
#include "engine/call.hpp"

namespace orch::engine {

struct AuditRow {
    std::string_view action;
    std::string tenant;
    std::optional<core::Uuid> run{};
    std::optional<std::string> workflow{};
    std::optional<std::string> reason{};
    core::Json details{};  // null: none
};

void audit(Call &call, const AuditRow &row);

}  // namespace orch::engine
