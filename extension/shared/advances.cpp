#include "shared/advances.hpp"

#include "shared/pending.hpp"

namespace orch::shared {

namespace {

bool queued(const Database &database, const TaskRef &task) noexcept
{
    return database.advance_index.find(entries, hash_of(task), [&](const Entry &entry) { return entry.task() == task; }) != nil;
}

}  // namespace

// Effects -----------------------------------------------------------------------------

void link_advance(Database &database, Index entry, Wakes &wakes) noexcept
{
    Entry &e = entries[entry];
    if (queued(database, e.task())) {
        free_entry(database, entry);
        return;
    }
    e.kind = EntryKind::advance;
    database.advances.push(entries, entry);
    database.advance_index.insert(entries, entry, hash_of(e.task()));
    poke_steward(database, wakes);
}

void queue_advance(Database &database, Index &spare, const TaskRef &task, Wakes &wakes) noexcept
{
    if (queued(database, task)) return;
    if (spare == nil) spare = draw_entry(database, Claim::advance);
    if (spare == nil) {
        set_sweep(database, wakes);
        return;
    }
    entries[spare].run = task.run;
    entries[spare].task_no = task.task_no;
    link_advance(database, spare, wakes);
    spare = nil;
}

void set_sweep(Database &database, Wakes &wakes) noexcept
{
    database.sweep = true;
    poke_steward(database, wakes);
}

void end_run(Database &database, const RunId &run, Wakes &wakes) noexcept
{
    drop_counters(database, run);
    wake_awaiting(database, run, wakes);
}

void wake_awaiting(Database &database, const RunId &run, Wakes &wakes) noexcept
{
    database.run_waiters.each(run_waiters, hash_id(run), [&](Index i) {
        if (run_waiters[i].run == run) wakes.add(run_waiters[i].process);
    });
}

// Calls -------------------------------------------------------------------------------

namespace {

PendingOp &add_advance(const TaskRef &task)
{
    make_room(1);
    const Index entry = reserve_entry(Claim::advance);
    if (entry != nil) {
        entries[entry].run = task.run;
        entries[entry].task_no = task.task_no;
    }
    PendingOp &op = add(Op::advance);
    op.entry = entry;
    return op;
}

}  // namespace

void on_commit_advance(const TaskRef &task) { add_advance(task); }
void on_commit_cancel(const RunId &run) { add_advance({run, -1}).flag = true; }

bool cancels_unseen() { return pg_atomic_read_u32(&database().cancels_unseen) != 0; }
void set_cancels_unseen() { pg_atomic_write_u32(&database().cancels_unseen, 1); }

int take_advance(int max, TaskRef *out)
{
    Database &slot = database();
    make_room(static_cast<size_t>(max));
    return with_database(slot, [&] {
        int taken = 0;
        while (taken < max) {
            const Index index = slot.advances.pop(entries);
            if (index == nil) break;
            Entry &entry = entries[index];
            slot.advance_index.remove(entries, index, hash_of(entry.task()));
            entry.kind = EntryKind::taken;
            PendingOp &op = add(Op::took);
            op.entry = index;
            op.was = EntryKind::advance;
            out[taken++] = entry.task();
        }
        return taken;
    });
}

bool take_sweep()
{
    Database &slot = database();
    make_room(1);
    const bool wanted = with_database(slot, [&] { return std::exchange(slot.sweep, false); });
    if (wanted) add(Op::sweep_taken);
    return wanted;
}

void on_commit_run_over(const RunId &run)
{
    database();
    add(Op::run_over).task.run = run;
}

void on_commit_told(const RunId &id)
{
    database();
    add(Op::told).task.run = id;
}

}  // namespace orch::shared
