#pragma once

#include <string>

namespace orch::cli {

/// A file's definition as JSON text; `format` is auto, json or yaml. Throws orch::error for YAML that is none. JSON goes to the server byte for byte, since only
/// it may say what is wrong with it.
[[nodiscard]] std::string definition_in(const std::string &file, const std::string &format);

}  // namespace orch::cli
