#include "shared/run_waiters.hpp"

#include "shared/launching.hpp"
#include "shared/pending.hpp"

namespace orch::shared {

namespace {

Index my_waiter = nil;

}  // namespace

bool run_wait_begin(const RunId &run)
{
    Database &slot = database();
    register_exit_cleanup();
    run_wait_end();
    my_waiter = with_database(slot, [&] {
        const Index index = with_pool([] { return root->run_waiters.pop(run_waiters); });
        if (index == nil) return nil;
        run_waiters[index].run = run;
        run_waiters[index].process = pg::my_process_number();
        slot.run_waiters.insert(run_waiters, index, hash_id(run));
        return index;
    });
    return my_waiter != nil;
}

void run_wait_end() noexcept
{
    if (my_waiter == nil || !mine) return;
    const Index index = std::exchange(my_waiter, nil);
    with_database(*mine, [&] {
        mine->run_waiters.remove(run_waiters, index, hash_id(run_waiters[index].run));
        with_pool([&] { root->run_waiters.push(run_waiters, index); });
    });
}

}  // namespace orch::shared
