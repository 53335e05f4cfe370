// SQL tasks of a definition, checked against the catalogue with the rights of whoever calls.
#pragma once

#include "core/findings.hpp"
#include "core/json.hpp"
#include "pg/trials.hpp"

namespace orch::engine {

/// Adds a problem `sql_invalid` for each statement that cannot be analysed, or whose parameters are not as many as its `params`. A warning only, where a task
/// that runs before it is a SQL task and may yet make what is missing; `check: off` leaves a task out. The definition may have other faults: what has no right shape is passed over.
///
/// Parameters: $n takes the type that its statement gives it, as PREPARE would infer it, text where it gives none. null is NULL; for json and jsonb
/// the value is taken as it is; for an array type a JSON array gives the elements; for every other type the text of a string, or the JSON text, is read.
void check_sql_tasks(const core::Json &spec, pg::Trials &trials, core::Findings &findings);

}  // namespace orch::engine
