#include "shared/timers.hpp"

#include "shared/clock.hpp"
#include "shared/pending.hpp"

namespace orch::shared {

namespace {

constexpr size_t forgotten_at_once = 512;

// Half the slab is the ready tasks' in any case.
bool has_room(const Database &database) noexcept { return database.timers.count < root->entries.capacity / 2; }

void note_wall(Database &database, int64_t due, Wakes &wakes) noexcept { note_deadline(database, monotonic_us() + (due - now_us()), wakes); }

void fill(Entry &entry, int64_t due_us, const TaskRef &task, TimerKind kind) noexcept
{
    entry.run = task.run;
    entry.task_no = task.task_no;
    entry.key = due_us;
    entry.timer = kind;
}

}  // namespace

void link_timer(Database &database, Index entry, Wakes &wakes) noexcept
{
    const int64_t due = entries[entry].key;
    if (!has_room(database)) {
        free_entry(database, entry);
        lower_rescan(database, due, wakes);
        return;
    }
    entries[entry].kind = EntryKind::timer;
    database.timers.push(entries, entry);
    note_wall(database, due, wakes);
}

void lower_rescan(Database &database, int64_t due, Wakes &wakes) noexcept
{
    database.rescan_at = std::min(database.rescan_at, due);
    note_wall(database, due, wakes);
}

void on_commit_timer(int64_t due_us, const TaskRef &task, TimerKind kind)
{
    make_room(1);
    const Index entry = reserve_entry(Claim::timer);
    if (entry == nil) {
        // At once: at worst the rows are read once for nothing.
        rescan_by(due_us);
        return;
    }
    fill(entries[entry], due_us, task, kind);
    add(Op::timer).entry = entry;
}

void push_timer(int64_t due_us, const TaskRef &task, TimerKind kind)
{
    Database &slot = database();
    Wakes wakes;
    with_database(slot, [&] {
        const Index entry = draw_entry(slot, Claim::timer);
        if (entry == nil) {
            lower_rescan(slot, due_us, wakes);
            return;
        }
        fill(entries[entry], due_us, task, kind);
        link_timer(slot, entry, wakes);
    });
    wakes.flush();
}

int take_due(int64_t now_us, int max, Timer *out)
{
    Database &slot = database();
    make_room(static_cast<size_t>(max));
    return with_database(slot, [&] {
        int taken = 0;
        while (taken < max && slot.timers.smallest(entries) <= now_us) {
            const Index index = slot.timers.pop(entries);
            Entry &entry = entries[index];
            entry.kind = EntryKind::taken;
            PendingOp &op = add(Op::took);
            op.entry = index;
            op.was = EntryKind::timer;
            out[taken++] = {entry.task(), entry.key, entry.timer};
        }
        return taken;
    });
}

int64_t rescan_at()
{
    Database &slot = database();
    return with_database_shared(slot, [&] { return slot.rescan_at; });
}

void rescan_begin()
{
    Database &slot = database();
    make_room(1);
    PendingOp &op = add(Op::rescan_taken);
    op.x = with_database(slot, [&] { return std::exchange(slot.rescan_at, INT64_MAX); });
    // Those in memory would come a second time, and stand in the way of earlier ones.
    const auto forget_some = [&] {
        for (size_t i = 0; i < forgotten_at_once; i++) {
            const Index entry = slot.timers.pop(entries);
            if (entry == nil) return false;
            free_entry(slot, entry);
        }
        return true;
    };
    while (with_database(slot, forget_some)) {}
}

void rescan_by(int64_t due_us)
{
    Wakes wakes;
    with_database(database(), [&] { lower_rescan(database(), due_us, wakes); });
    wakes.flush();
}

size_t timers_from_rows() { return root->entries.capacity / 8 * 3; }

}  // namespace orch::shared
