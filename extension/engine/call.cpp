#include "engine/call.hpp"

#include "engine/notify.hpp"
#include "engine/task_of.hpp"
#include "pg/membership.hpp"

#include "shared/clock.hpp"
#include "shared/database.hpp"
#include "shared/settings.hpp"

namespace orch::engine {

Call::Call() : now_(shared::now_us()), events_(now_)
{
    shared::require_preloaded();
    session_.open();
    forget_items();
    trim_versions();
}

void Call::finish()
{
    notify_outside(*this);
    events_.write();
    session_.close();
}

Datum Call::engine_actor()
{
    if (!engine_actor_) engine_actor_ = pg::text_datum("engine");
    return engine_actor_;
}

Datum Call::role_actor()
{
    if (!role_actor_) role_actor_ = pg::text_datum(actor_name(caller()));
    return role_actor_;
}

Datum Call::worker_actor(std::string_view worker)
{
    if (!worker_actor_ || worker_ != worker) {
        worker_ = worker;
        worker_actor_ = pg::text_datum("worker:" + worker_);
    }
    return worker_actor_;
}

std::string Call::tenant() const { return tenant_of(caller()); }

std::string tenant_of(Oid role)
{
    const bool counts = settings::tenant && *settings::tenant && (pg::is_admin(role) || pg::is_bridge_session());
    return counts ? settings::tenant : "default";
}

std::string token_actor()
{
    if (!settings::token || !*settings::token || !pg::is_bridge_session()) return {};
    const std::string token = settings::token;
    return token.find(':') == std::string::npos ? "token:" + token : token;
}

std::string actor_name(Oid role)
{
    std::string token = token_actor();
    return token.empty() ? "role:" + pg::role_name(role) : token;
}

std::string deed_name(Oid role)
{
    std::string token = token_actor();
    return token.empty() ? pg::role_name(role) : token;
}

void require_not_held()
{
    if (shared::phase() == shared::Phase::held) raise_held();
}

void raise_held() { throw pg::error{pg::held, "this database is held until it is adopted", held_detail, held_hint}; }

void require_primary(std::string_view function)
{
    if (RecoveryInProgress())
        throw pg::error{ERRCODE_READ_ONLY_SQL_TRANSACTION, std::string(function) + " cannot be called on a standby",
                        "A standby repeats what its primary does, and does nothing by itself.",
                        "Connect to the primary: host=a,b target_session_attrs=read-write finds it."};
}

void require_open()
{
    constexpr int64 patience_ms = 60'000;
    if (shared::phase() == shared::Phase::open) return;
    require_not_held();
    if (!shared::wait_until_open(patience_ms)) {
        require_not_held();
        throw pg::error{ERRCODE_CANNOT_CONNECT_NOW, "orch is still reading its state after a start", {}, "Try again in a moment; see orch.health."};
    }
}

Datum to_outer(const Call &call, Datum varlena)
{
    Datum copy = 0;
    MemoryContext outer = call.outer();
    pg::call_pg([&] {
        MemoryContext before = MemoryContextSwitchTo(outer);
        copy = PointerGetDatum(PG_DETOAST_DATUM_COPY(varlena));
        MemoryContextSwitchTo(before);
    });
    return copy;
}

}  // namespace orch::engine
