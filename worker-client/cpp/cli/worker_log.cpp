#include "worker_log.hpp"

#include "orch/text.hpp"

#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include <chrono>
#include <ctime>

namespace orch::cli {
namespace {

constexpr spdlog::level::level_enum levels[] = {spdlog::level::debug, spdlog::level::info, spdlog::level::warn, spdlog::level::err};

std::string utc_now()
{
    const auto now = std::chrono::system_clock::now();
    const auto seconds = std::chrono::system_clock::to_time_t(now);
    std::tm utc{};
    gmtime_r(&seconds, &utc);
    char text[40];
    const size_t length = std::strftime(text, sizeof text, "%FT%T", &utc);
    const auto millis = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
    snprintf(text + length, sizeof text - length, ".%03ldZ", static_cast<long>(millis));
    return text;
}

}  // namespace

std::string json_line(log_level level, const std::string &text, const task_context *about, const std::string &time)
{
    constexpr const char *words[] = {"debug", "info", "warning", "error"};
    nlohmann::ordered_json line{{"time", time}, {"level", words[static_cast<int>(level)]}, {"message", clean_text(text)}};
    if (about) {
        line["run"] = about->run_id;
        line["task"] = clean_text(about->task_id);
        line["attempt"] = about->attempt;
        // version-traceid-parentid-flags
        if (about->traceparent.size() >= 35 && about->traceparent[2] == '-') line["trace"] = clean_text(about->traceparent.substr(3, 32));
    }
    return line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::function<void(log_level, const std::string &, const task_context *)> worker_log(const std::string &least, bool as_json)
{
    spdlog::set_level(spdlog::level::from_str(least));
    if (as_json) {
        spdlog::set_pattern("%v");
        return [](log_level level, const std::string &text, const task_context *about) {
            const auto at = levels[static_cast<int>(level)];
            if (spdlog::should_log(at)) spdlog::log(at, "{}", json_line(level, text, about, utc_now()));
        };
    }
    return [](log_level level, const std::string &text, const task_context *) {
        // One line an entry, whatever a server or a task put into it.
        std::string line;
        for (const char c : text) line += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
        spdlog::log(levels[static_cast<int>(level)], "{}", line);
    };
}

}  // namespace orch::cli
