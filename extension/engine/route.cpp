#include "engine/route.hpp"

#include "pg/column.hpp"
#include "pg/session.hpp"

#include <map>
#include <tuple>

namespace orch::engine {

namespace {

using Key = std::tuple<std::string, std::string, std::string>;

struct Routes {
    Oid extension = InvalidOid;
    std::map<Key, int32> ids;
    LocalTransactionId made_in = InvalidLocalTransactionId;
};

Routes &known_routes()
{
    static Routes *instance = new Routes;
    if (const Oid extension = pg::extension_oid(); instance->extension != extension || instance->ids.size() > 10'000) {
        instance->ids.clear();
        instance->extension = extension;
    }
    return *instance;
}

}  // namespace

int32 route_id(std::string_view tenant, std::string_view queue, std::string_view handler)
{
    static pg::Statement select("select route_id from _orch.route where tenant = $1 and queue = $2 and handler = $3", {TEXTOID, TEXTOID, TEXTOID});
    static pg::Statement insert(
        "insert into _orch.route (tenant, queue, handler) values ($1, $2, $3) on conflict (tenant, queue, handler) do nothing returning route_id",
        {TEXTOID, TEXTOID, TEXTOID});
    Routes &routes = known_routes();
    Key key{tenant, queue, handler};
    if (const auto found = routes.ids.find(key); found != routes.ids.end()) return found->second;
    const auto parameters = pg::Parameters<3>().add(pg::text_datum(tenant)).add(pg::text_datum(queue)).add(pg::text_datum(handler));
    pg::Rows rows = select.run(parameters);
    if (rows.empty()) {
        rows = insert.run(parameters);
        routes.made_in = MyProc->lxid;
        if (rows.empty()) rows = select.run(parameters);
        if (rows.empty())
            throw pg::error{ERRCODE_T_R_SERIALIZATION_FAILURE, "a route of this step was made at the same time", {}, "Try the transaction again."};
        return rows.int4(0, 1);
    }
    // What this very transaction made may be rolled back yet.
    if (routes.made_in != MyProc->lxid) routes.ids.emplace(std::move(key), rows.int4(0, 1));
    return rows.int4(0, 1);
}

}  // namespace orch::engine
