// Active runs by workflow: a table of open addressing in the database's slot, of workflows with a limit only.
#include "shared/active.hpp"

#include "shared/pending.hpp"

namespace orch::shared {

namespace {

/// The workflow's place, or the free one where it would be; nullptr when the table is full of others.
ActiveCount *place(Database &database, int32_t workflow_id) noexcept
{
    const auto start = static_cast<uint32_t>(mix(static_cast<uint64_t>(workflow_id)));
    for (uint32_t i = 0; i < max_active_counts; i++) {
        ActiveCount &count = database.active[(start + i) % max_active_counts];
        if (count.workflow_id == workflow_id || count.workflow_id == 0) return &count;
    }
    return nullptr;
}

/// Takes the workflows without active runs out: their places are in the way of others.
void purge(Database &database) noexcept
{
    ActiveCount kept[max_active_counts];
    int count = 0;
    for (ActiveCount &active : database.active) {
        if (active.workflow_id != 0 && active.count != 0) kept[count++] = active;
        active = {};
    }
    for (int i = 0; i < count; i++) *place(database, kept[i].workflow_id) = kept[i];
}

ActiveCount *find_or_make(Database &database, int32_t workflow_id) noexcept
{
    ActiveCount *found = place(database, workflow_id);
    if (!found) {
        purge(database);
        found = place(database, workflow_id);
    }
    if (!found) {
        database.active_overflow = true;  // counts cannot be told any more, until the next recount
        return nullptr;
    }
    found->workflow_id = workflow_id;
    return found;
}

}  // namespace

void change_active(Database &database, int32_t workflow_id, int32_t delta) noexcept
{
    database.active_touched = true;
    if (ActiveCount *found = find_or_make(database, workflow_id)) found->count = std::max(0, found->count + delta);
}

bool active_take(int32_t workflow_id, int32_t limit)
{
    Database &database = shared::database();
    make_room(1);
    const bool taken = with_database(database, [&] {
        ActiveCount *found = find_or_make(database, workflow_id);
        if (!found || found->count >= limit) return false;
        found->count++;
        database.active_touched = true;
        return true;
    });
    if (taken) add(Op::active_took).a = workflow_id;
    return taken;
}

void on_commit_active(int32_t workflow_id, int delta)
{
    database();
    PendingOp &op = add(Op::active_delta);
    op.a = workflow_id;
    op.b = delta;
}

int active(int32_t workflow_id)
{
    Database &database = shared::database();
    return with_database_shared(database, [&] {
        if (database.active_overflow) return -1;
        const ActiveCount *found = place(database, workflow_id);
        return found && found->workflow_id == workflow_id ? found->count : 0;
    });
}

void active_recount_begin()
{
    Database &database = shared::database();
    with_database(database, [&] {
        for (ActiveCount &count : database.active) count = {};
        database.active_overflow = database.active_touched = false;
    });
}

void active_set(int32_t workflow_id, int count)
{
    Database &database = shared::database();
    with_database(database, [&] {
        if (ActiveCount *found = find_or_make(database, workflow_id)) found->count = count;
    });
}

bool active_recount_end()
{
    Database &database = shared::database();
    return with_database_shared(database, [&] { return !database.active_touched; });
}

}  // namespace orch::shared
