#include "server/problem.hpp"

#include <boost/beast/http/status.hpp>
#include <nlohmann/json.hpp>

namespace orch::bridge {

Response Problem::response(const std::string &request_id) const
{
    // What cannot be told as UTF-8 is shown as a question mark, never an error of its own.
    nlohmann::ordered_json body;
    body["type"] = "about:blank";
    body["title"] = title;
    body["status"] = status;
    body["code"] = code;
    if (!detail.empty()) body["detail"] = detail;
    if (!hint.empty()) body["hint"] = hint;
    body["instance"] = request_id;
    if (!parts.empty()) {
        auto &list = body["problems"] = nlohmann::ordered_json::array();
        for (const Part &part : parts) {
            nlohmann::ordered_json one;
            if (!part.severity.empty()) one["severity"] = part.severity;
            one["path"] = part.path;
            one["code"] = part.code;
            one["message"] = part.message;
            if (!part.detail.empty()) one["detail"] = part.detail;
            if (!part.hint.empty()) one["hint"] = part.hint;
            list.push_back(std::move(one));
        }
    }
    Response response(status);
    response.headers = headers;
    response.headers.emplace_back("Content-Type", "application/problem+json");
    response.body = body.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
    return response;
}

}  // namespace orch::bridge
