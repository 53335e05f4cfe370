#include "pg/trials.hpp"

namespace orch::pg {

namespace {

// Errors that say nothing about what was tried: a cancel, no memory, a lock that was not to be had, a fault of the server.
bool is_circumstance(int code)
{
    switch (ERRCODE_TO_CATEGORY(code)) {
    case MAKE_SQLSTATE('4', '0', '0', '0', '0'):
    case MAKE_SQLSTATE('5', '3', '0', '0', '0'):
    case MAKE_SQLSTATE('5', '7', '0', '0', '0'):
    case MAKE_SQLSTATE('5', '8', '0', '0', '0'):
    case MAKE_SQLSTATE('X', 'X', '0', '0', '0'): return true;
    default: return code == ERRCODE_LOCK_NOT_AVAILABLE;
    }
}

}  // namespace

void Trials::begin()
{
    if (!scratch_) {
        context_ = CurrentMemoryContext;
        owner_ = CurrentResourceOwner;
        call_pg([this] { scratch_ = AllocSetContextCreate(context_, "orch trials", ALLOCSET_DEFAULT_SIZES); });
    }
    if (!open_) {
        call_pg([] { BeginInternalSubTransaction(nullptr); });
        open_ = true;
    }
    MemoryContextReset(scratch_);
    MemoryContextSwitchTo(scratch_);
}

Refused Trials::refusal(ErrorData *error)
{
    const auto text = [](const char *t) { return std::string(t ? t : ""); };
    Refused refused{error->sqlerrcode, text(error->message), text(error->detail), text(error->hint), error->cursorpos};
    const bool passes_through = is_circumstance(error->sqlerrcode);
    if (passes_through) scratch_ = nullptr;  // the error lives there: its parent frees it
    end();
    if (passes_through) throw pg_error{error};
    return refused;
}

void Trials::end()
{
    if (open_) {
        open_ = false;
        call_pg([this] {
            RollbackAndReleaseCurrentSubTransaction();
            MemoryContextSwitchTo(context_);
            CurrentResourceOwner = owner_;
        });
    }
    if (scratch_) MemoryContextDelete(scratch_);
    scratch_ = nullptr;
}

}  // namespace orch::pg
