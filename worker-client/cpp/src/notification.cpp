#include "code_run.hpp"
#include "loop.hpp"
#include "orch/error.hpp"
#include "transfer.hpp"

#include <algorithm>

// Notifications: what is sent, where to, and its signature come from the engine, for the lease, at each attempt anew.

namespace orch {
namespace {

using namespace std::chrono_literals;

constexpr auto delivery_patience = 15s;
constexpr int gone = 410;

outcome tried_again(outcome failed)
{
    failed.fields += ",\"retry\":true";
    return failed;
}

outcome judged(const http_answer &answer, const std::string &host)
{
    if (answer.status >= 200 && answer.status < 300) return outcome::success({{"status", answer.status}});
    auto error = error_json(answer.status >= 500 ? "transient" : "handler", std::to_string(answer.status),
                            host + " answered with status " + std::to_string(answer.status));
    if (answer.retry_after_seconds > 0) error["retry_after_seconds"] = answer.retry_after_seconds;
    auto failed = outcome::failure(error);
    // Whoever is gone for good says so; all else may be a mistake that somebody mends.
    if (answer.status == gone) failed.fields += ",\"retry\":false";
    else failed = tried_again(std::move(failed));
    return failed;
}

}  // namespace

outcome worker::loop::run_notification(leased_task &work)
{
    try {
        const auto told = ask_server("select url, headers, body from orch.delivery($1)", {work.lease});
        if (told.size() == 0) return outcome::skip("it is not wanted any more");
        http_request request{.method = "POST", .url = told.text(0, "url"), .headers = {}, .body = told.text(0, "body"), .follow = false};
        const auto headers = json::parse(told.text(0, "headers"));
        for (const auto &[name, value] : headers.items()) request.headers.emplace_back(name, value.get<std::string>());
        const auto host = host_of(request.url);
        auto deadline = std::chrono::steady_clock::now() + delivery_patience;
        if (work.deadline) deadline = std::min(deadline, *work.deadline);
        return judged(make_request(request, {.deadline = deadline, .stop = work.stop, .refuse_private = options.refuse_private_addresses}), host);
    } catch (const task_error &refused) {
        auto failed = outcome::failure(error_json(refused.error_class, refused.code, refused.what()));
        return refused.error_class == "cancelled" || refused.error_class == "validation" ? failed : tried_again(std::move(failed));
    } catch (const detail::abandoned &) {
        return outcome::failure(error_json("infrastructure", "worker", "the worker stops"));
    } catch (const std::exception &broken) {
        return tried_again(outcome::failure(error_json("infrastructure", "worker", broken.what())));
    }
}

}  // namespace orch
