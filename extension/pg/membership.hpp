// Who belongs to a role of ours: asked for each row of a view, so the answers are kept until pg_auth_members changes.
#pragma once

#include "pg/bridge.hpp"

namespace orch::pg {

/// Directly or through other roles; a superuser belongs to all.
bool is_admin(Oid role);

/// Whether this session is a bridge's: its login role belongs to orch_bridge and is no superuser. Whatever role it has become since.
bool is_bridge_session();

}  // namespace orch::pg
