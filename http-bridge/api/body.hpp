#pragma once

#include "api/route.hpp"

#include <string_view>
#include <vector>

namespace orch::bridge {

/// Throws 415 where the request has a body that the route does not read, before any of it is read.
void require_media_type(const Route &route, const Request &request);

/// The bytes that came into what the route wants: request.body and .json, or .uploads. Throws 400 for what is no JSON, YAML or form.
[[nodiscard]] boost::asio::awaitable<void> read_body(Bridge &bridge, const Route &route, Request &request);

/// What a member of a JSON body may be.
enum class Member { any, text, number, integer, boolean, object, array, texts };
struct Field {
    std::string_view name;
    Member type = Member::any;
    bool required = false;
};
/// The body has to be an object of these members; null stands for one that is not there. Throws 422 with every problem and its JSON Pointer.
void require_fields(const Request &request, const std::vector<Field> &fields);

}  // namespace orch::bridge
