// The process that tells Redis which routes got ready tasks, one for the cluster.
#pragma once

#include "pg/postgres.hpp"

namespace orch::background {

/// The launcher's: starts the notifier where orch.redis_url asks for one and none is there. Returns how long until it wants to look again, -1 for never.
int64_t look_after_notifier();

/// GucStringCheckHook of orch.redis_url.
bool check_redis_url(char **value, void **extra, GucSource source);

}  // namespace orch::background
