// Who may come by HTTP: tokens, of which only a hash is kept, and how often each may ask.
#pragma once

#include "core/rate.hpp"
#include "engine/call.hpp"

namespace orch::engine {

struct NewToken {
    std::string name;
    std::string role;                   // viewer, operator, worker or admin; orch_ may stand before it
    std::optional<std::string> tenant;  // else the caller's
    std::optional<TimestampTz> expires_at;
};

/// The token itself, which nobody can be told again. Raises 22023 for what it cannot be, 23505 where the name is taken, 42501 for another tenant than that of a bridge's session.
std::string create_token(Call &call, const NewToken &wanted);

/// From now on, that is from the commit on, it opens nothing. False where the caller's tenant has none of that name, or it was revoked before.
bool revoke_token(Call &call, const std::string &name);

struct Admission {
    std::string_view status;  // ok, anonymous, unknown, expired, revoked, limited
    std::string name, role, tenant;
    std::optional<TimestampTz> expires_at;
    core::Rate rate;  // without an interval: no limit
    core::Taken taken;
};

struct Asking {
    std::optional<Datum> token_hash;
    std::optional<std::string> address, subject;
};

/// Who asks, and whether he may do so once more. Writes nothing.
Admission admit(const Asking &asking);

}  // namespace orch::engine
