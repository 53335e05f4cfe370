// The life of a transaction's list: written at the calls, moved with subtransactions, carried out or undone at the end.
//
// Entries for what a commit will link are drawn from the database's slab beforehand, a growing handful at a time, and kept on a list of spares; what is left over goes back.
// The callbacks hold interrupts (PostgreSQL does so around commit and abort), take the database's lock for at most `chunk` operations at a time, and set latches outside it.
#include "shared/transaction.hpp"

#include "shared/database.hpp"
#include "shared/launching.hpp"
#include "shared/pending.hpp"
#include "shared/waiting.hpp"

namespace orch::shared {

namespace {

constexpr size_t chunk = 512;

struct Pending {
    std::vector<PendingOp> ops;
    std::vector<JoinChange> changes;
    std::vector<int> pins;
    Bitmap<max_routes> pin_map;
    FreeList<Entry> spares;
    uint32_t draw_next = 8;
    bool probes = false, outcomes = false;
};

// Leaked: a destructor would run at exit, after PostgreSQL has gone.
Pending *pending;

Pending &here()
{
    if (!pending) pending = new Pending;
    return *pending;
}

void apply(Database &database, PendingOp &op, Wakes &wakes) noexcept
{
    switch (op.op) {
    case Op::ready: link_ready(database, op.entry, wakes); break;
    case Op::spilled: lower_route(database, op.a, op.task.run, op.x, wakes); break;
    case Op::timer: link_timer(database, op.entry, wakes); break;
    case Op::advance:
        if (op.flag) pg_atomic_write_u32(&database.cancels_unseen, 1);
        if (op.entry == nil) set_sweep(database, wakes);
        else link_advance(database, op.entry, wakes);
        break;
    case Op::took: free_entry(database, op.entry); break;
    case Op::put_back: requeue(database, op.entry, wakes); break;
    case Op::lease: hold_lease(database, op.entry, wakes); break;
    case Op::unlease: end_lease(database, op.task, op.x, wakes); break;
    case Op::probe: leave_circuit(database, op.a, static_cast<uint32_t>(op.b), wakes); break;  // nobody leased it
    case Op::outcome: count_outcome(database, op, wakes); break;
    case Op::stop_leases: stop_leases(database, op.task, wakes); break;
    case Op::run_over: end_run(database, op.task.run, wakes); break;
    case Op::told: wake_awaiting(database, op.task.run, wakes); break;
    case Op::lower: lower_counters(database, op, here().changes.data() + op.c, wakes); break;
    case Op::active_delta: change_active(database, op.a, op.b); break;
    case Op::partitions:
        pg_atomic_write_u64(&database.first_ms, static_cast<uint64_t>(op.x));
        pg_atomic_write_u64(&database.end_ms, static_cast<uint64_t>(op.y));
        break;
    case Op::refusals_taken: {
        const auto taken = static_cast<uint32_t>(op.a);
        database.refusal_first = (database.refusal_first + taken) % max_refusals;
        database.refusal_count -= taken;
        break;
    }
    case Op::refill: end_refill(database, op.a, op.task.run, wakes); break;  // it never ended: what it took is still to be done
    case Op::recheck:
        database.recheck = true;
        poke_steward(database, wakes);
        break;
    case Op::count: count_number(database, op); break;
    case Op::timing: count_timing(database, op); break;
    case Op::wake_steward: poke_steward(database, wakes); break;
    case Op::nothing:
    case Op::counters_made:
    case Op::active_took:
    case Op::sweep_taken:
    case Op::rescan_taken:
    case Op::launcher: break;
    case Op::attach: start_over(database); break;
    }
    op.op = Op::nothing;
}

void undo(Database &database, PendingOp &op, Wakes &wakes) noexcept
{
    switch (op.op) {
    case Op::ready:
    case Op::timer: free_entry(database, op.entry); break;
    case Op::advance:
        if (op.entry != nil) free_entry(database, op.entry);
        break;
    case Op::took:
        if (op.was == EntryKind::ready) link_ready(database, op.entry, wakes);
        else if (op.was == EntryKind::timer) link_timer(database, op.entry, wakes);
        else link_advance(database, op.entry, wakes);
        break;
    case Op::put_back: requeue(database, op.entry, wakes); break;
    case Op::lease: drop_lease(database, op.entry, wakes); break;
    case Op::probe: leave_circuit(database, op.a, static_cast<uint32_t>(op.b), wakes); break;
    case Op::counters_made: drop_counters(database, op.task.run); break;
    case Op::active_took: change_active(database, op.a, -1); break;
    case Op::sweep_taken: set_sweep(database, wakes); break;
    case Op::rescan_taken: lower_rescan(database, op.x, wakes); break;
    case Op::refill: end_refill(database, op.a, op.task.run, wakes); break;
    default: break;
    }
    op.op = Op::nothing;
}

template <class F>
void in_chunks(size_t begin, size_t end, F &&f) noexcept
{
    Wakes wakes;
    for (size_t i = begin; i < end;) {
        const size_t stop = std::min(end, i + chunk);
        with_database(*mine, [&] {
            for (; i < stop; i++) f(pending->ops[i], wakes);
        });
        wakes.flush();
    }
}

/// Spares back to the database, beyond what it keeps back to everybody; pins off; the list empty.
void settle_accounts() noexcept
{
    if (pending->spares.count > 0 || !pending->pins.empty()) {
        with_database(*mine, [] {
            for (Index entry; (entry = pending->spares.pop(entries)) != nil;) free_entry(*mine, entry);
            for (const int route : pending->pins) routes[route].pins--;
        });
        for (const int route : pending->pins) pending->pin_map.reset(route);
        pending->pins.clear();
    }
    pending->ops.clear();
    pending->changes.clear();
    pending->draw_next = 8;
    pending->probes = pending->outcomes = false;
    if (pending->ops.capacity() > 65536) std::vector<PendingOp>().swap(pending->ops);
}

void finish(bool committed) noexcept
{
    bool launcher = false;
    bool attach = false;
    for (const PendingOp &op : pending->ops) {
        launcher |= op.op == Op::launcher;
        attach |= op.op == Op::attach;
    }
    if (mine) {
        if (committed) in_chunks(0, pending->ops.size(), [](PendingOp &op, Wakes &wakes) noexcept { apply(*mine, op, wakes); });
        else in_chunks(0, pending->ops.size(), [](PendingOp &op, Wakes &wakes) noexcept { undo(*mine, op, wakes); });
        settle_accounts();
    } else {
        pending->ops.clear();
    }
    if (attach && committed) set_wants_steward(true);
    if ((attach || launcher) && committed) wake_launcher();
}

/// Whether what is free is kept for claims that matter more. The database's lock is held.
bool is_scarce(const Database &database, Claim claim) noexcept
{
    const uint32_t kept = root->entries.capacity / (claim == Claim::ready ? 4 : 8);
    return database.free.count + with_pool([] { return root->entries.available(); }) <= kept;
}

bool anything() noexcept { return pending && (!pending->ops.empty() || !pending->pins.empty() || pending->spares.count > 0); }

void at_transaction_end(XactEvent event, void *)
{
    switch (event) {
    case XACT_EVENT_COMMIT:
    case XACT_EVENT_ABORT:
        clear_floor();
        if (event == XACT_EVENT_ABORT) leave_waits();  // an await that was cancelled or timed out
        if (anything()) finish(event == XACT_EVENT_COMMIT);
        come_back();
        break;
    case XACT_EVENT_PRE_PREPARE:
        if (anything() && !pending->ops.empty())
            ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("cannot PREPARE a transaction that has used orch"),
                            errdetail("What orch does at commit would be lost: COMMIT PREPARED runs in another session."),
                            errhint("Commit in one phase, or leave the orch calls out of this transaction.")));
        break;
    default: break;
    }
}

void at_subtransaction_end(SubXactEvent event, SubTransactionId, SubTransactionId, void *)
{
    if (!pending || pending->ops.empty()) return;
    std::vector<PendingOp> &ops = pending->ops;
    const int level = GetCurrentTransactionNestLevel();
    // Levels never fall along the list, so those of this subtransaction stand at its end.
    size_t begin = ops.size();
    while (begin > 0 && ops[begin - 1].level >= level) begin--;
    if (event == SUBXACT_EVENT_COMMIT_SUB) {
        for (size_t i = begin; i < ops.size(); i++) ops[i].level = level - 1;
    } else if (event == SUBXACT_EVENT_ABORT_SUB) {
        if (mine && begin < ops.size()) in_chunks(begin, ops.size(), [](PendingOp &op, Wakes &wakes) noexcept { undo(*mine, op, wakes); });
        ops.resize(begin, PendingOp{Op::nothing, EntryKind::free, false, 0});
    }
}

}  // namespace

void make_room(size_t count)
{
    std::vector<PendingOp> &ops = here().ops;
    if (ops.capacity() - ops.size() < count) ops.reserve(std::max(ops.size() + count, ops.capacity() * 2));
}

PendingOp &add(Op op)
{
    std::vector<PendingOp> &ops = here().ops;
    ops.push_back(PendingOp{op, EntryKind::free, false, GetCurrentTransactionNestLevel()});
    if (op == Op::probe) here().probes = true;
    if (op == Op::outcome) here().outcomes = true;
    return ops.back();
}

bool probes_pending() noexcept { return pending && pending->probes; }
bool outcomes_pending() noexcept { return pending && pending->outcomes; }
std::vector<PendingOp> &pending_ops() { return here().ops; }
std::vector<JoinChange> &pending_changes() { return here().changes; }

void pin_room()
{
    Pending &p = here();
    if (p.pins.capacity() == p.pins.size()) p.pins.reserve(p.pins.size() * 2 + 16);
}

void pin(int route) noexcept
{
    if (pending->pin_map.test(route)) return;
    pending->pin_map.set(route);
    pending->pins.push_back(route);
    routes[route].pins++;
}

bool pinned(int route) noexcept { return pending && pending->pin_map.test(route); }

Index draw_entry(Database &database, Claim claim) noexcept
{
    if (claim != Claim::advance && is_scarce(database, claim)) return nil;
    if (database.free.head == nil) with_pool([&] { draw(root->entries, database.free, entries, 256); });
    const Index entry = database.free.pop(entries);
    if (entry != nil) {
        entries[entry].database = number_of(database);
        entries[entry].kind = EntryKind::reserved;
    }
    return entry;
}

void free_entry(Database &database, Index entry) noexcept
{
    entries[entry].kind = EntryKind::free;
    database.free.push(entries, entry);
    if (database.free.count > 8192) with_pool([&] { give_back(root->entries, database.free, entries, 4096); });
}

void reserve_spares(int count, Claim claim)
{
    Pending &p = here();
    if (p.spares.count >= static_cast<uint32_t>(count)) return;
    const uint32_t wanted = std::max(static_cast<uint32_t>(count), p.draw_next);
    p.draw_next = std::min<uint32_t>(p.draw_next * 2, 256);
    Database &database = shared::database();
    with_database(database, [&] {
        // What is scarce is not drawn ahead.
        const uint32_t enough = is_scarce(database, Claim::ready) ? static_cast<uint32_t>(count) : wanted;
        while (p.spares.count < enough) {
            const Index entry = draw_entry(database, claim);
            if (entry == nil) break;
            p.spares.push(entries, entry);
        }
    });
}

Index next_spare() noexcept { return pending->spares.pop(entries); }
void keep_spare(Index entry) noexcept { pending->spares.push(entries, entry); }

Index reserve_entry(Claim claim)
{
    reserve_spares(1, claim);
    return next_spare();
}

bool transaction_pending() noexcept { return anything(); }

void register_transaction_callbacks()
{
    RegisterXactCallback(at_transaction_end, nullptr);
    RegisterSubXactCallback(at_subtransaction_end, nullptr);
}

}  // namespace orch::shared
