// All leaves may hold the next events, and their index on pos is a BRIN: it finds a stretch of positions cheaply, but not the smallest ones. Positions are
// dense but for those of transactions that rolled back and the gap after a restart; so the feed is read stretch by stretch, as long as the rows that are still
// wanted, and longer ones where a stretch was empty.
#include "engine/feed.hpp"

#include "engine/run_look.hpp"
#include "shared/clock.hpp"
#include "shared/database.hpp"
#include "shared/feed.hpp"

namespace orch::engine {

namespace {

constexpr int64 patience_ms = 10'000;
constexpr int columns = 12;

// As the view orch.events has them. No empty braces in here: they stand for the day.
#define ORCH_FEED_COLUMNS                                                                                                                                     \
    "select e.pos, e.run_id, case when p.task_id is not null or e.task_no < 0 then p.task_id else"                                                            \
    "  (select t.item ->> 'id' from _orch.task_{} t where t.run_id = e.run_id and t.task_no = e.task_no) end, e.no, _orch.event_kind(e.kind), e.at, e.actor," \
    " jsonb_strip_nulls(jsonb_build_object('attempt', e.attempt)) || case"                                                                                    \
    "  when e.payload is null then jsonb_build_object()"                                                                                                      \
    "  when e.kind = 1 then jsonb_build_object('input', e.payload)"                                                                                           \
    "  when e.kind in (7, 23) then jsonb_build_object('output', e.payload)"                                                                                   \
    "  when e.kind in (8, 9, 10, 24, 25, 27, 28) then jsonb_build_object('error', e.payload)"                                                                 \
    "  when e.kind = 63 then jsonb_build_object(case when e.facts ->> 'state' = 'failed' then 'error' else 'output' end, e.payload)"                          \
    "  when jsonb_typeof(e.payload) = 'object' then e.payload"                                                                                                \
    "  else jsonb_build_object('detail', e.payload) end"                                                                                                      \
    " || coalesce(e.facts, jsonb_build_object()), r.tenant, w.workflow, r.traceparent, e.task_no"                                                             \
    " from _orch.event_{} e join _orch.run_{} r on r.run_id = e.run_id"                                                                                       \
    " join _orch.version v on v.version_id = r.version_id join _orch.workflow w on w.workflow_id = v.workflow_id"                                             \
    " left join _orch.version_task p on p.version_id = r.version_id and p.task_no = e.task_no"

// The largest position beyond `after`, or `after`.
int64 last_position(int64 after)
{
    static pg::Statement select("select max(pos) from _orch.event_{} where pos > $1", {INT8OID});
    int64 last = after;
    for (int day : leaf_days()) {
        if (!lock_leaf(day)) continue;
        const pg::Rows rows = select.run_on(day, Parameters<1>().add(Int64GetDatum(after)));
        if (!rows.is_null(0, 1)) last = std::max(last, rows.int8(0, 1));
    }
    return last;
}

// A standby has no floors: it sees transactions in the order of their commits, so a later position may come before an earlier one. But who takes a position has
// written a row before (the one that counts its events), so:
//   1. We see a position p. Whoever took one below p has taken his transaction's id, and written it to the WAL, before p was committed.
//   2. So his id is below the next id that replay knows of now.
//   3. Once no transaction below that id is open, all of them are seen or will never be, and everything up to p is safe.
// Where a long transaction is open on the primary this takes as long as it does, and the feed ends where it was safe before.
int64 end_on_standby(int64 after)
{
    constexpr int64 patience_us = 1'000'000;
    static int64 safe = 0;
    if (safe > after + 1) return safe;
    const int64 last = last_position(after);
    const int64 until = shared::monotonic_us() + patience_us;
    bool over = false;
    pg::call_pg([&] {
        const TransactionId next = XidFromFullTransactionId(ReadNextFullTransactionId());
        while (!(over = !TransactionIdPrecedes(GetTransactionSnapshot()->xmin, next)) && shared::monotonic_us() < until) {
            CHECK_FOR_INTERRUPTS();
            pg_usleep(5'000);
        }
    });
    if (over) safe = std::max(safe, last + 1);
    return safe;
}

// The first position that is not safe to read yet.
int64 end_of_feed(int64 after)
{
    // What no steward of ours will ever open does not grow either: everything in it is there to be read.
    if (shared::phase() == shared::Phase::held) return INT64_MAX;
    if (RecoveryInProgress()) return end_on_standby(after);
    if (shared::phase() == shared::Phase::unused) return 0;
    if (!shared::positions_seeded() && !shared::wait_until_seeded(patience_ms))
        throw pg::error{ERRCODE_CANNOT_CONNECT_NOW, "orch is still reading its state after a start", {}, "Try again in a moment; see orch.health."};
    return shared::safe_position();
}

struct Found {
    int64 pos;
    std::array<std::optional<Datum>, columns> values;
};

void gather(const pg::Rows &rows, std::vector<Found> &found)
{
    for (uint64 i = 0; i < rows.count(); i++) {
        Found f{rows.int8(i, 1), {}};
        for (int c = 0; c < columns; c++) f.values[c] = rows.maybe(i, c + 1);
        found.push_back(f);
    }
}

void add(const std::vector<Found> &found, pg::ResultSet &result)
{
    for (const Found &f : found) {
        std::optional<Datum> row[columns];
        std::copy(f.values.begin(), f.values.end(), row);
        result.add(row);
    }
}

void read_run(Call &call, const RunId &run, int64 after, int64 end, int max_rows, pg::ResultSet &result)
{
    static pg::Statement select(ORCH_FEED_COLUMNS " where e.run_id = $1 and e.pos > $2 and e.pos < $3 order by e.pos limit $4",
                                {UUIDOID, INT8OID, INT8OID, INT8OID});
    look_at_run(call, run);
    std::vector<Found> found;
    gather(select.run_on(day_of(run), Parameters<4>().add(pg::uuid_datum(run)).add(Int64GetDatum(after)).add(Int64GetDatum(end)).add(Int64GetDatum(max_rows))),
           found);
    add(found, result);
}

}  // namespace

int64 feed_position()
{
    const int64 end = end_of_feed(0);
    return end == INT64_MAX ? last_position(0) : std::max<int64>(end - 1, 0);
}

void read_feed(Call &call, const FeedRange &range, pg::ResultSet &result)
{
    const auto &[after, max_rows, run, all_tenants] = range;
    static pg::Statement select(ORCH_FEED_COLUMNS " where e.pos > $1 and e.pos <= $2 and ($3 is null or r.tenant = $3) order by e.pos limit $4",
                                {INT8OID, INT8OID, TEXTOID, INT8OID});
    // Before any snapshot: what is committed below this position is then visible to the statements that follow.
    int64 end = end_of_feed(after);
    if (run) return read_run(call, *run, after, end, max_rows, result);

    std::vector<int> days = leaf_days();
    std::erase_if(days, [](int day) { return !lock_leaf(day); });
    std::optional<Datum> tenant;
    if (!all_tenants) tenant = pg::text_datum(call.tenant());
    if (end == INT64_MAX) end = last_position(after) + 1;
    int64 wanted = max_rows;
    for (int64 from = std::max<int64>(after, 0), stretch = wanted; wanted > 0 && from < end - 1;) {
        const int64 to = stretch < end - 1 - from ? from + stretch : end - 1;
        std::vector<Found> found;
        for (int day : days)
            gather(select.run_on(day, Parameters<4>().add(Int64GetDatum(from)).add(Int64GetDatum(to)).add(tenant).add(Int64GetDatum(wanted))), found);
        std::sort(found.begin(), found.end(), [](const Found &a, const Found &b) { return a.pos < b.pos; });
        if (static_cast<int64>(found.size()) > wanted) found.resize(wanted);
        add(found, result);
        wanted -= static_cast<int64>(found.size());
        stretch = found.empty() ? stretch * 2 : std::max<int64>(wanted, 1);
        from = to;
    }
}

#undef ORCH_FEED_COLUMNS

}  // namespace orch::engine
