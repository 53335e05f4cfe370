#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace orch::bridge {

struct FormPart {
    std::string name, filename, content_type, content;
};

/// The parts of a multipart/form-data body (RFC 7578). Throws a Problem (400) where it is none.
[[nodiscard]] std::vector<FormPart> read_multipart(std::string_view content_type, std::string_view body);

}  // namespace orch::bridge
