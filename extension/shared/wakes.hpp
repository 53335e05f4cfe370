// Latches to set once the lock is released: a SetLatch is a system call.
#pragma once

#include "pg/compat.hpp"
#include "shared/layout.hpp"

namespace orch::shared {

class Wakes {
public:
    /// When it is full the latches are set at once, lock or not.
    void add(int32_t process) noexcept
    {
        if (process == no_slot) return;
        if (count_ == capacity) flush();
        processes_[count_++] = process;
    }

    void flush() noexcept
    {
        for (int i = 0; i < count_; i++) SetLatch(pg::latch_of(processes_[i]));
        count_ = 0;
    }

private:
    static constexpr int capacity = 64;
    int count_ = 0;
    int32_t processes_[capacity];
};

// All below: the database's lock is held.

/// There is something for the steward to look at. Its latch is set once for each of its sleeps.
void poke_steward(Database &database, Wakes &wakes) noexcept;

/// The same if it would sleep beyond `deadline` (monotonic).
void note_deadline(Database &database, int64_t deadline, Wakes &wakes) noexcept;

/// Wakes up to `count` idle workers that serve the route; returns how many. While its circuit lets nobody through: the steward, for tasks with a fallback.
int wake_for_route(Database &database, int route, int64_t count, Wakes &wakes) noexcept;

/// Wakes a worker's await_work whatever it serves.
void wake_worker(Database &database, Worker &worker, Wakes &wakes) noexcept;

}  // namespace orch::shared
