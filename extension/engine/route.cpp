#include "engine/route.hpp"

#include "pg/column.hpp"
#include "pg/session.hpp"

#include <map>
#include <tuple>

namespace orch::engine {

namespace {

using Key = std::tuple<std::string, std::string, std::string, std::string, bool>;

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

int32 route_id(const shared::RouteNames &names)
{
    static pg::Statement select("select route_id from _orch.route where tenant = $1 and queue = $2 and handler = $3 and circuit = $4 and fallback = $5",
                                {TEXTOID, TEXTOID, TEXTOID, TEXTOID, BOOLOID});
    static pg::Statement insert("insert into _orch.route (tenant, queue, handler, circuit, fallback) values ($1, $2, $3, $4, $5)"
                                " on conflict (tenant, queue, handler, circuit, fallback) do nothing returning route_id",
                                {TEXTOID, TEXTOID, TEXTOID, TEXTOID, BOOLOID});
    Routes &routes = known_routes();
    Key key{names.tenant, names.queue, names.handler, names.circuit, names.fallback};
    if (const auto found = routes.ids.find(key); found != routes.ids.end()) return found->second;
    pg::Parameters<5> parameters;
    for (const std::string_view name : {names.tenant, names.queue, names.handler, names.circuit}) parameters.add(pg::text_datum(name));
    parameters.add(BoolGetDatum(names.fallback));
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
