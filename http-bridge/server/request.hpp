#pragma once

#include "access/principal.hpp"

#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/verb.hpp>
#include <nlohmann/json_fwd.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace orch::bridge {

namespace http = boost::beast::http;

using Headers = std::vector<std::pair<std::string, std::string>>;

/// One file of a multipart body, or a body that is one definition: JSON text by now, whatever it was.
struct Upload {
    std::string name;  ///< the file's; empty for a body that is no form
    std::string text;
};

/// One request, read and decoded. Handlers may move from its body.
struct Request {
    http::verb method{};
    std::string target;                                      ///< as it was sent
    std::string path;                                        ///< decoded, for logs
    std::vector<std::string> segments;                       ///< of the path, each decoded by itself: an encoded slash stays in its segment
    std::vector<std::pair<std::string, std::string>> query;  ///< decoded, in their order
    std::vector<std::pair<std::string_view, std::string>> path_parameters;
    http::fields fields;
    std::string body;                                    ///< of a route for JSON: JSON text, checked, `{}` where none was sent
    std::shared_ptr<const nlohmann::ordered_json> json;  ///< of a route for JSON: the same, parsed
    std::vector<Upload> uploads;                         ///< of a route for definitions
    Principal principal;
    std::string id;           ///< X-Request-Id: the caller's where that is sane
    std::string traceparent;  ///< empty where the caller sent none that is well-formed
    std::string peer;         ///< the caller's address, without the port

    /// The header's value, empty where there is none. The first one where there are several.
    [[nodiscard]] std::string_view header(std::string_view name) const
    {
        const auto found = fields.find(name);
        return found == fields.end() ? std::string_view() : std::string_view(found->value());
    }
    /// A parameter of the query, nullopt where it is not given.
    [[nodiscard]] std::optional<std::string> parameter(std::string_view name) const;
    /// All of a parameter that may be repeated.
    [[nodiscard]] std::vector<std::string> parameters(std::string_view name) const;
    /// What stands for {name} in the pattern of the route.
    [[nodiscard]] const std::string &in_path(std::string_view name) const;
    [[nodiscard]] std::string trace_id() const { return traceparent.size() == 55 ? traceparent.substr(3, 32) : std::string(); }
};

/// The target's path and query into `request`. Throws a Problem for what no client of good will sends: broken escapes, dots, bytes that are no UTF-8.
void read_target(Request &request);

}  // namespace orch::bridge
