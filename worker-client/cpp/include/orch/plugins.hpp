#pragma once

#include "orch/worker.hpp"

#include <string>
#include <vector>

namespace orch {

/// A handler of a plugin (orch/plugin.h), ready for worker::handler.
struct plugin_handler {
    std::string name;
    handler_function function;
    handler_options options;
};

/// Opens a shared library and reads its handlers. It stays open as long as the process. Throws std::runtime_error for what is no plugin, or one that was
/// built for another version of the interface.
[[nodiscard]] std::vector<plugin_handler> load_plugin(const std::string &path);

}  // namespace orch
