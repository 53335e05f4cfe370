#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>

namespace orch {

/// What is wrong with a YAML text, and where: both numbers count from 1.
class yaml_error : public std::runtime_error {
public:
    yaml_error(int line, int column, const std::string &what)
        : std::runtime_error("line " + std::to_string(line) + ", column " + std::to_string(column) + ": " + what), line(line), column(column)
    {
    }
    int line;
    int column;
};

/// Turns one YAML 1.2 document into JSON text by the core schema: `yes`, `no` and `on` are text. Refuses duplicate keys, unknown tags, aliases to
/// the node they stand in, a second document, merge keys (`<<`, not part of 1.2), .inf and .nan, and more than `max_bytes` of JSON. Throws yaml_error.
[[nodiscard]] std::string yaml_to_json(std::string_view yaml, size_t max_bytes = size_t{32} << 20);

}  // namespace orch
