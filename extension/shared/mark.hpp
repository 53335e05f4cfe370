// Whether this data directory is a copy: a backup that was restored, or a clone that was promoted. Found out by the postmaster before recovery begins, since PostgreSQL
// takes the signs away at its end, and kept in the file orch.mark, since a crash may come between that and the adoption.
#pragma once

#include "pg/postgres.hpp"

#include "core/uuid.hpp"

namespace orch::shared {

/// In _PG_init: looks when the postmaster makes its shared memory, so also after a crash.
void install_mark_hook();

/// The id that the rows of a database must have adopted; nothing where this data directory was never a copy.
const std::optional<core::Uuid> &mark() noexcept;

/// The launcher's, which runs only when recovery is over.
void note_end_of_recovery();

}  // namespace orch::shared
