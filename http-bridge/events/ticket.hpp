#pragma once

#include "access/authenticator.hpp"

#include <optional>

namespace orch::bridge {

/// Whose ticket the request brings, which is used up by that; nothing where it is none.
[[nodiscard]] boost::asio::awaitable<std::optional<Admission>> admit_ticket(Bridge &bridge, const Request &request);

}  // namespace orch::bridge
