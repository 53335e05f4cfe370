// JSON values and the one door through which text becomes one.
//
// Json is nlohmann's ordered_json: objects keep the author's order, so problems come in reading order and tasks are numbered as they were written, and an
// object is one flat array, three times faster to build and to free than a tree of map nodes. The price: find() is linear, so nothing here looks up a task by its key in
// a Json object; plans and validation index tasks themselves.
#pragma once

#include "core/problem.hpp"

#include <nlohmann/json.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>

namespace orch::core {

using Json = nlohmann::ordered_json;

struct Limits {
    std::size_t max_bytes = 32u << 20;
    std::size_t max_depth = 64;
    bool exact_integers = true;  // refuse integers past 64 bits, which would come back rounded
};

/// The value that `text` holds, or the first problem. Refuses duplicate keys, invalid UTF-8, lone surrogates, NUL (PostgreSQL text cannot hold it) and numbers
/// out of range. Uses no recursion, so hostile depth costs nothing.
std::variant<Json, Problem> parse(std::string_view text, const Limits &limits = {});

/// JSON text of a value, or of a string. Never throws for what `parse` returned.
std::string to_text(const Json &value);
std::string to_text(std::string_view text);

/// The member of an object, or null where `object` is no object or has no such key.
const Json *member(const Json &object, std::string_view key);

}  // namespace orch::core
