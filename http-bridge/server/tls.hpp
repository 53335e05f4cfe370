#pragma once

#include "options.hpp"

#include <boost/asio/ssl/context.hpp>

namespace orch::bridge {

/// Certificate and key from their files; TLS 1.2 and newer. Throws std::system_error where they cannot be read.
[[nodiscard]] boost::asio::ssl::context make_tls(const Options &options);

}  // namespace orch::bridge
