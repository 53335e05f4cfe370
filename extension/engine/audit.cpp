#include "engine/audit.hpp"

namespace orch::engine {

void audit(Call &call, const AuditRow &row)
{
    static pg::Statement insert(
        "insert into _orch.audit (at, actor, action, run_id, workflow, tenant, reason, details) values ($1, $2, $3, $4, $5, $6, $7, $8)",
        {TIMESTAMPTZOID, TEXTOID, TEXTOID, UUIDOID, TEXTOID, TEXTOID, TEXTOID, JSONBOID});
    const auto text = [](const std::optional<std::string> &t) { return t ? std::optional(pg::text_datum(*t)) : std::nullopt; };
    Parameters<8> parameters;
    parameters.add(time_datum(call.now())).add(call.role_actor()).add(pg::text_datum(row.action));
    parameters.add(row.run ? std::optional(pg::uuid_datum(*row.run)) : std::nullopt).add(text(row.workflow)).add(pg::text_datum(row.tenant));
    parameters.add(text(row.reason)).add(row.details.is_null() ? std::nullopt : std::optional(pg::jsonb_datum(core::to_text(row.details))));
    insert.run(parameters);
}

}  // namespace orch::engine
