#include "api/sql_route.hpp"

namespace orch::bridge {

std::span<const Route> workflow_routes()
{
    static const std::vector<Route> routes = {
        {http::verb::get,
         "/workflows",
         Minimum::viewer,
         "listWorkflows",
         page("select to_jsonb(w), w.workflow from orch.workflows w where ($2::text is null or w.workflow > $2) order by w.workflow limit $1::int", {}),
         {"limit", "cursor"}},
    };
    return routes;
}

}  // namespace orch::bridge
