// Things that PostgreSQL may refuse, tried one after the other in a subtransaction: nothing of them stays, no lock either, and a refusal costs only itself.
#pragma once

#include "pg/bridge.hpp"

namespace orch::pg {

struct Refused {
    int code;
    std::string message, detail, hint;
    int position;  // in characters of the statement, from 1; 0 where there is none
};

/// One subtransaction serves all trials until one is refused. Call end() on every way out: not RAII, since a rollback can ereport.
class Trials {
public:
    /// f as for call_pg. What it allocates is gone at the next trial.
    template <class F>
    std::optional<Refused> attempt(F &&f)
    {
        begin();
        std::optional<ErrorData *> caught;
        try {
            call_pg(f);
        } catch (const pg_error &e) {
            caught = e.data;
        }
        MemoryContextSwitchTo(context_);
        if (!caught) return std::nullopt;
        return refusal(*caught);
    }

    /// Rolls back what is open.
    void end();

private:
    void begin();
    Refused refusal(ErrorData *error);

    MemoryContext context_ = nullptr, scratch_ = nullptr;
    ResourceOwner owner_ = nullptr;
    bool open_ = false;
};

}  // namespace orch::pg
