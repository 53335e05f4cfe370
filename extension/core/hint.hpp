// Hints: what is told in Redis about ready tasks. They carry no truth; who misses one looks by itself a little later.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace orch::core {

/// The schema of a hint's fields, the field `v`. A reader ignores fields that it does not know and refuses a newer schema.
inline constexpr int hint_schema = 1;

/// The consumer group of every stream of hints, and the one consumer in it: hints are acknowledged as they are read, so Redis need not tell readers apart.
inline constexpr std::string_view hint_group = "orch";

/// About as many hints are kept of a route, for nobody who reads them.
inline constexpr int hints_kept = 1000;

/// orch:DATABASE:TENANT:QUEUE:HANDLER; `:` and `%` of the first three are escaped, so that two routes never share a stream.
std::string hint_stream(std::string_view database, std::string_view tenant, std::string_view queue, std::string_view handler);

}  // namespace orch::core
