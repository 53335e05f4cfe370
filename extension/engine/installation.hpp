// Whose rows these are. They name the cluster, the database and the mark of the data directory that they were adopted under; anywhere else they are a copy, and a copy is held.
#pragma once

#include "engine/call.hpp"

namespace orch::engine {

enum class Standing : uint8_t {
    absent,  // the extension is not in this database, or not wholly there yet
    unused,  // it is there, and nothing was ever defined: nothing to do, no partitions yet (a restore may be under way)
    ours,
    copied,    // held: the rows belong to another cluster or database
    restored,  // held: the data directory is a backup that was restored, or a clone that was promoted
};
/// Inside a transaction of its own call.
Standing standing();

/// For the first registration: the rows are of this place. Raises OR030 where they are of another.
void claim_installation(Call &call);

/// Says that they are of this place. False where they were.
bool adopt(Call &call);

}  // namespace orch::engine
