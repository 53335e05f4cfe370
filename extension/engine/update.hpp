// Updates of runs in code: requests with an id, which the code accepts or refuses, and answers. They lie beside the run like signals; what the code says of them are entries of its journal.
//
// Locks: whoever sends one has the run's row; then it wakes main, whose row it takes SKIP LOCKED. A suspend keeps the run's row before it looks for updates, so that nobody misses one.
#pragma once

#include "engine/code_run.hpp"

namespace orch::engine {

/// Sends an update in the caller's transaction and returns its id, a new one where none is given; the same once more does nothing. Raises OR003, OR004, OR013, OR020.
std::string send_update(Call &call, const RunId &run, const std::string &name, std::optional<Datum> input, const std::optional<std::string> &id);

/// What nobody has accepted or refused yet, in the order of their coming.
struct OpenUpdate {
    std::string id;
    std::string name;
    std::optional<Datum> input;
};
std::vector<OpenUpdate> open_updates(const RunId &run);
bool any_open_update(const RunId &run);

/// An entry of the journal that is about an update: whether it may be there now. Main's row is locked; `before` is what
/// stands before it in the same call. Raises 22023.
void check_update_entry(const CodeMain &main, const JournalEntry &entry, const Journal &before);
/// The entry is written: the update is accepted, refused or answered.
void note_update_entry(const CodeMain &main, const JournalEntry &entry);

enum class UpdateState : uint8_t { open, completed, failed, abandoned };
struct UpdateLook {
    UpdateState state;
    std::optional<std::string> result;  // the answer or the error, as JSON
    std::string run_state;              // in words
};
/// Raises OR003 where the run or its update is not known.
UpdateLook look_at_update(Call &call, const RunId &run, const std::string &id);

}  // namespace orch::engine
