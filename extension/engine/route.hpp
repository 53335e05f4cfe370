// The numbers of routes, where a run's code asks for one that no definition named.
#pragma once

#include "pg/statement.hpp"
#include "shared/routes.hpp"

namespace orch::engine {

/// The route's number; made where it is missing, which waits for another transaction that makes it too.
int32 route_id(const shared::RouteNames &names);

}  // namespace orch::engine
