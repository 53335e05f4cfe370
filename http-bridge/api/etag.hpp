// ETags are versions of workflows: "3".
#pragma once

#include "database/rows.hpp"
#include "server/request.hpp"

#include <string>

namespace orch::bridge {

[[nodiscard]] std::string etag_of(const std::string &version);
/// Whether If-None-Match names the ETag: the caller has it.
[[nodiscard]] bool none_match(const Request &request, const std::string &etag);

/// What If-Match and If-None-Match ask of the workflow that is about to be written.
struct WriteCondition {
    bool must_be_new = false;
    Param version;
};
[[nodiscard]] WriteCondition write_condition_of(const Request &request);

/// A segment of a path, for Location.
[[nodiscard]] std::string in_path_escaped(std::string_view text);

}  // namespace orch::bridge
