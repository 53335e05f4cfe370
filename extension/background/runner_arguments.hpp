// What the steward hands to a SQL runner in bgw_extra.
#pragma once

#include "pg/postgres.hpp"

namespace orch::background {

struct RunnerArguments {
    Oid database;
    Oid role;  // the session is this role's
};
static_assert(sizeof(RunnerArguments) <= BGW_EXTRALEN);

}  // namespace orch::background
