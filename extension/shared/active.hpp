// Active runs of workflows that limit them (max_active_runs).
#pragma once

#include <cstdint>

namespace orch::shared {

/// Counts one more at once if fewer than `limit` are active; undone by an abort. False: the run is to be queued. Exact under any race.
bool active_take(int32_t workflow_id, int32_t limit);

/// At commit; -1 for a run that is over or no longer counts. Whoever lowers it queues the advance that admits the next run.
void on_commit_active(int32_t workflow_id, int delta);

/// Including what open transactions took. -1 where this cannot be told (more than 1,024 such workflows): count the rows.
int active(int32_t workflow_id);

/// Rebuild: begin, take a new snapshot, count the rows, set each, end. False: a run started or ended meanwhile; do it again.
void active_recount_begin();
void active_set(int32_t workflow_id, int count);
bool active_recount_end();

}  // namespace orch::shared
