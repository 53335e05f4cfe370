// Hints for workers that wait outside of this server: which routes got ready tasks that no await_work was woken for. A commit only marks the route; the notifier, one process of
// the cluster, takes the marks and sends them on. Nothing is kept but a mark and a count for each route, however long the notifier has nobody to send to.
#pragma once

#include "shared/types.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace orch::shared {

/// How long a worker may say that it will rest.
inline constexpr int64_t longest_rest_us = int64_t{3600} * 1'000'000;

struct Rest {
    bool rests;      // false: there may be work, so it should lease
    bool connected;  // whether hints are sent
    int64_t at;      // wall clock: a hint from before this moment is of no interest to the worker
};
/// The worker gives up its connection: alive without a call for so long, and hinted at what comes from now on.
Rest worker_rest(int slot, int64_t silence_us);

/// The streams of all routes that the worker in a slot serves, in the database of this name.
std::vector<std::string> hint_streams(int slot, std::string_view database);

// The notifier --------------------------------------------------------------------

/// This process is the notifier until it exits; from now on marks are made. False where another one is alive.
bool become_notifier();
int notifier_pid() noexcept;

struct Hint {
    char database[64];
    char queue[129], handler[129], tenant[129];
    int32_t route_id;
    int64_t ready;  // entries in memory
    int readers;    // how many to send: no more than tasks, nor than workers that rest and serve the route
    int64_t at;     // wall clock
};
/// Takes marks of databases that are open: at most `max_routes` of them, for about as many readers as `max_readers`. `more` says whether some are left. First call `hints_begin`.
int take_hints(int max_routes, int max_readers, Hint *out, bool &more) noexcept;

/// What is marked after this call sets the notifier's latch again; false where nothing was since the last call.
bool hints_begin() noexcept;

/// Marks every route that has ready tasks: what was sent before may be lost.
void hint_everything() noexcept;

enum class NotifierState : uint8_t { off, connecting, connected, away };
struct NotifierStatus {
    NotifierState state;
    int pid;
    int64_t since;     // wall clock
    char place[160];   // where Redis is, without its password
    char reason[200];  // why it is away
};
void set_notifier_status(NotifierState state, std::string_view place, std::string_view reason) noexcept;
NotifierStatus notifier_status();

/// The steward's: what its database is called. It is started again when that changes.
void set_database_name(const char *name) noexcept;

}  // namespace orch::shared
