// One call of a verb: the session with the database, the moment it happens at, and the events that it will leave.
#pragma once

#include "engine/event_batch.hpp"
#include "engine/version.hpp"
#include "pg/column.hpp"
#include "pg/jsonb.hpp"
#include "pg/session.hpp"
#include "shared/transaction.hpp"

namespace orch::engine {

using core::EventKind;
using pg::Parameters;
using shared::TaskRef;

class Call {
public:
    /// Opens the session. Raises OR031 where the library was not preloaded.
    Call();

    /// Writes the events and closes the session. Not reached on an error: the abort undoes everything.
    void finish();

    TimestampTz now() const { return now_; }
    Oid caller() const { return session_.caller(); }
    MemoryContext outer() const { return session_.outer(); }
    EventBatch &events() { return events_; }

    /// Who did it, for events: text Datums made once a call.
    Datum engine_actor();
    Datum role_actor();
    Datum worker_actor(std::string_view worker);

    /// The tenant of the caller: `default`, or orch.tenant for members of orch_admin and in sessions of a bridge.
    std::string tenant() const;

private:
    pg::Session session_;
    TimestampTz now_;
    EventBatch events_;
    Datum engine_actor_ = 0, role_actor_ = 0, worker_actor_ = 0;
    std::string worker_;
};

/// The tenant that a role acts for in this session.
std::string tenant_of(Oid role);

/// As a tenant: a worker that serves all of them, like a bridge's own.
inline constexpr std::string_view all_tenants = "*";

/// Who acts: `token:NAME` where a bridge says so by orch.token, and that itself where it has a colon, as the subject of an issuer has; else `role:NAME`.
std::string actor_name(Oid role);
/// The same for columns that hold the bare name of a role.
std::string deed_name(Oid role);

/// What counts tasks waits for the rebuild after a start. Raises OR030 where the database is held, 57P03 when the rebuild takes too long.
void require_open();

/// Raises OR030 where the database is held.
void require_not_held();
[[noreturn]] void raise_held();

/// What a held database says of itself; where it can be adopted.
inline constexpr const char *held_detail =
    "It is a copy: restored from a backup, or made in another cluster or database. Nothing runs here, so that the original's work is not done twice.";
inline constexpr const char *held_hint = "If this database stands for itself now, call orch.adopt().";

/// Raises 25006 on a standby; `function` as the message names it: orch.trigger().
void require_primary(std::string_view function);

/// Copies a pass-by-reference value into the memory that outlives the session.
Datum to_outer(const Call &call, Datum varlena);

inline Datum time_datum(TimestampTz at) { return TimestampTzGetDatum(at); }

/// The order of a ready task in its route: the smallest first; a minute of waiting weighs as much as one priority.
inline int64 sort_key(TimestampTz ready_at, int priority) { return ready_at - static_cast<int64>(priority) * 60 * USECS_PER_SEC; }

}  // namespace orch::engine
