#include "pg/isolated.hpp"

namespace orch::pg {

bool isolated(const char *doing, const char *next, const std::function<void()> &f)
{
    MemoryContext context = CurrentMemoryContext;
    ResourceOwner owner = CurrentResourceOwner;
    call_pg([&] {
        BeginInternalSubTransaction(nullptr);
        MemoryContextSwitchTo(context);
    });
    failure failed{};
    bool good = true;
    try {
        f();
    } catch (...) {
        failed = describe_current_exception();
        good = false;
    }
    call_pg([&] {
        if (good) {
            ReleaseCurrentSubTransaction();
        } else {
            RollbackAndReleaseCurrentSubTransaction();
            log_failure(failed, doing, next);
        }
        MemoryContextSwitchTo(context);
        CurrentResourceOwner = owner;
    });
    return good;
}

}  // namespace orch::pg
