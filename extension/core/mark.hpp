// The mark of a data directory: what a restored backup leaves behind, so that nothing in it runs before somebody has adopted it. A start makes it, from what PostgreSQL
// is about to do; each database's rows name the mark that they were adopted under. Which file it is in, and who looks, is in shared/mark.cpp.
#pragma once

#include "core/uuid.hpp"

namespace orch::core {

struct Mark {
    std::optional<Uuid> copied;   // a copy from here on
    std::optional<Uuid> standby;  // a copy as soon as it is promoted

    /// The one that the rows must have adopted.
    std::optional<Uuid> id() const { return standby ? standby : copied; }
    bool operator==(const Mark &) const = default;
};

/// What a start finds in the data directory.
struct StartSigns {
    bool standby_signal = false;
    bool recovery_signal = false;
    bool backup_label = false;
    bool hold_on_promotion = false;  // the setting
};

/// The mark from this start on; `fresh` is an id that nobody has ever adopted.
Mark mark_at_start(Mark before, const StartSigns &signs, const Uuid &fresh);

/// The mark once recovery is over.
Mark mark_after_recovery(Mark before);

std::string mark_to_text(const Mark &mark);
/// Nothing where the text is no mark.
std::optional<Mark> mark_from_text(std::string_view text);

}  // namespace orch::core
