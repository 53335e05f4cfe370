#include "server/log.hpp"

#include "server/text.hpp"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

namespace orch::bridge {

namespace {

// A message that begins with a brace is members already; any other is the member "message".
class JsonMembers : public spdlog::custom_flag_formatter {
public:
    void format(const spdlog::details::log_msg &message, const std::tm &, spdlog::memory_buf_t &out) override
    {
        const std::string_view text(message.payload.data(), message.payload.size());
        const std::string members = text.starts_with('{') ? std::string(text.substr(1)) : "\"message\":" + json_string(text) + "}";
        out.append(members.data(), members.data() + members.size());
    }
    std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<JsonMembers>(); }
};

// orch_ and the 43 characters behind it.
std::string without_tokens(const std::string &path)
{
    constexpr size_t shown = 5, secret = 43;
    std::string text = path;
    for (size_t at = text.find("orch_"); at != text.npos; at = text.find("orch_", at + shown)) {
        const size_t end = text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", at);
        if (std::min(end, text.size()) - at >= shown + secret) text.replace(at + shown, std::min(end, text.size()) - at - shown, "***");
    }
    return text;
}

}  // namespace

void set_up_log(const std::string &level)
{
    auto logger = std::make_shared<spdlog::logger>("orch-bridge", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    auto formatter = std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc);
    formatter->add_flag<JsonMembers>('*').set_pattern(R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%*)");
    logger->set_formatter(std::move(formatter));
    logger->set_level(spdlog::level::from_str(level));
    spdlog::set_default_logger(std::move(logger));
}

void log_access(const AccessRecord &record)
{
    const auto level = record.status >= 500 ? spdlog::level::warn : spdlog::level::info;
    if (!spdlog::should_log(level)) return;
    const Request &request = record.request;
    std::string line = "{\"message\":\"request\",\"request_id\":" + json_string(request.id);
    const auto add = [&](std::string_view name, std::string_view value) {
        if (value.empty()) return;
        line += ",\"";
        line += name;
        line += "\":" + json_string(value);
    };
    add("principal", request.principal.name);
    add("tenant", request.principal.tenant);
    add("method", http::to_string(request.method));
    // The path, never the query: a ticket may stand there. Nor a token that somebody took for the name of one.
    add("route", record.route);
    // Nor a lease, with which anybody could settle its task.
    const bool secret =
        std::any_of(request.path_parameters.begin(), request.path_parameters.end(), [](const auto &parameter) { return parameter.first == "lease"; });
    if (!secret) add("path", std::string_view(without_tokens(request.path)).substr(0, 200));
    add("address", request.peer);
    add("trace_id", request.trace_id());
    for (const auto &[name, value] : request.path_parameters)
        if (name == "run" || name == "task" || name == "worker") add(name == "run" ? "run_id" : name == "task" ? "task_id" : "worker", value);
    line += ",\"status\":" + std::to_string(record.status) + ",\"bytes\":" + std::to_string(record.bytes);
    char duration[32];
    std::snprintf(duration, sizeof duration, "%.3f", static_cast<double>(record.duration.count()) / 1000);
    line += std::string(",\"duration_ms\":") + duration + "}";
    spdlog::log(level, "{}", line);
}

}  // namespace orch::bridge
