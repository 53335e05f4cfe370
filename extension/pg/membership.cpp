#include "pg/membership.hpp"

namespace orch::pg {

namespace {

struct Membership {
    Oid role = InvalidOid;
    bool member = false;
};
constinit Membership admin, bridge;
constinit bool watching = false;

void forget_memberships(Datum, int, uint32) { admin = bridge = {}; }

bool look_up(Membership &kept, Oid role, const char *group, bool superusers_too)
{
    if (kept.role == role) return kept.member;
    bool member = false;
    call_pg([&] {
        if (!watching) {
            for (const int cache : {AUTHMEMROLEMEM, AUTHOID}) CacheRegisterSyscacheCallback(cache, forget_memberships, static_cast<Datum>(0));
            watching = true;
        }
        const Oid oid = get_role_oid(group, true);
        member = OidIsValid(oid) && (superusers_too ? is_member_of_role(role, oid) : is_member_of_role_nosuper(role, oid) && !superuser_arg(role));
    });
    kept = {role, member};
    return member;
}

}  // namespace

bool is_admin(Oid role) { return look_up(admin, role, "orch_admin", true); }

bool is_bridge_session() { return look_up(bridge, GetSessionUserId(), "orch_bridge", false); }

}  // namespace orch::pg
