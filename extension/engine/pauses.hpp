// How long the engine waits before it looks again at what it could not do at once.
#pragma once

#include "pg/postgres.hpp"

namespace orch::engine {

/// A row that somebody else holds.
inline constexpr int64 look_again_us = 50'000;

/// A row whose look raised an error.
inline constexpr int64 retry_bad_us = 5'000'000;

}  // namespace orch::engine
