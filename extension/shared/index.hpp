// Shared memory knows indices, never pointers: another process may see the segment elsewhere, and a torn index is caught by its bound.
#pragma once

#include <cstdint>

namespace orch::shared {

using Index = uint32_t;
inline constexpr Index nil = UINT32_MAX;

}  // namespace orch::shared
