#include "leased_task.hpp"

#include "orch/text.hpp"

#include <charconv>

namespace orch {
namespace {

constexpr int max_lines = 10'000;
constexpr size_t max_line_bytes = size_t{1} << 20;
constexpr size_t max_line = 8192;
constexpr size_t max_progress = 4096;
constexpr std::chrono::milliseconds between_progress{1100};  // the server's second, and what a connection may take less the second time

/// Where the next \u0000 stands that is an escape: a doubled backslash before it makes it plain text.
size_t nul_escape(std::string_view json_text, size_t from)
{
    for (size_t at = json_text.find("\\u0000", from); at != json_text.npos; at = json_text.find("\\u0000", at + 1)) {
        size_t backslashes = 0;
        while (at > backslashes && json_text[at - backslashes - 1] == '\\') ++backslashes;
        if (backslashes % 2 == 0) return at;
    }
    return json_text.npos;
}

double seconds_of(const rows &leased, int row, const json &spec)
{
    // Measured on our monotonic clock from the lease on: the two wall clocks need not agree.
    if (const auto found = spec.find("timeout_seconds"); found != spec.end() && found->is_number()) return found->get<double>();
    const auto left = leased.at(row, "seconds_left");
    return left ? std::stod(std::string(*left)) : 0;
}

}  // namespace

leased_task::leased_task() : leased_at(std::chrono::steady_clock::now()) { stop = stop_source_.get_token(); }

leased_task::leased_task(const rows &leased, int row) : leased_task()
{
    run_id = leased.text(row, "run_id");
    task_id = leased.text(row, "task_id");
    attempt = std::stoi(leased.text(row, "attempt"));
    idempotency_key = leased.text(row, "idempotency_key");
    traceparent = leased.text(row, "traceparent");
    lease = leased.text(row, "lease");
    executor = leased.text(row, "executor");
    handler = leased.text(row, "handler");
    spec = leased.text(row, "spec");
    input = leased.at(row, "input").value_or("null");
    const auto parsed = json::parse(spec, nullptr, false);
    if (parsed.is_object()) previous_progress = parsed.value("progress", json());
    if (const double seconds = seconds_of(leased, row, parsed.is_object() ? parsed : json::object()); seconds > 0)
        deadline = leased_at + std::chrono::milliseconds(static_cast<int64_t>(seconds * 1000));
}

void leased_task::log(std::string_view line, std::string_view stream)
{
    const std::lock_guard hold(lock_);
    do {
        const auto piece = front_of(line, max_line);
        line.remove_prefix(piece.empty() ? line.size() : piece.size());
        if (line_count_ >= max_lines || line_bytes_ + piece.size() > max_line_bytes) return;
        ++line_count_;
        line_bytes_ += piece.size();
        const json entry{{"stream", clean_text(stream)}, {"line", clean_text(piece)}, {"at", utc_text(std::chrono::system_clock::now())}};
        lines_ += (lines_.empty() ? "[" : ",") + entry.dump();
    } while (!line.empty());
}

void leased_task::progress(const json &details)
{
    auto text = without_nul_escapes(details.dump());  // jsonb would refuse them, and the heartbeat with them
    if (text.size() > max_progress) throw std::length_error("progress of " + std::to_string(text.size()) + " bytes, more than " + std::to_string(max_progress));
    const std::lock_guard hold(lock_);
    progress_ = std::move(text);
}

std::string leased_task::take_lines()
{
    const std::lock_guard hold(lock_);
    return lines_.empty() ? std::string() : std::exchange(lines_, {}) + "]";
}

std::string leased_task::take_progress(std::chrono::steady_clock::time_point now)
{
    const std::lock_guard hold(lock_);
    if (progress_.empty() || now - progress_at_ < between_progress) return {};
    progress_at_ = now;
    return std::exchange(progress_, {});
}

void leased_task::interrupt(reason why)
{
    auto none = reason::none;
    why_.compare_exchange_strong(none, why);
    stop_source_.request_stop();
}

outcome outcome::success(const json &output)
{
    std::string text;
    try {
        text = output.dump();
    } catch (const json::exception &) {
        return failure(error_json("validation", "invalid_output", "the output holds text that is not UTF-8"));
    }
    // jsonb refuses it, and with it the whole batch.
    if (nul_escape(text, 0) != text.npos)
        return failure(error_json("validation", "invalid_output", "the output holds a NUL character, which PostgreSQL cannot store"));
    return {"\"output\":" + text};
}

outcome outcome::failure(const json &error) { return {"\"error\":" + error.dump(-1, ' ', false, json::error_handler_t::replace)}; }

std::string outcome::error_class() const
{
    if (!is_failure()) return {};
    const auto parsed = json::parse("{" + fields + "}", nullptr, false);
    return parsed.is_object() && parsed["error"].is_object() ? parsed["error"].value("class", "unknown") : "unknown";
}

outcome outcome::skip(std::string_view reason)
{
    return {"\"skip\":" + (reason.empty() ? std::string("true") : json(clean_text(front_of(reason, 2000))).dump())};
}

std::string utc_text(std::chrono::system_clock::time_point time)
{
    const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
    const auto seconds = static_cast<std::time_t>(micros / 1'000'000 - (micros % 1'000'000 < 0 ? 1 : 0));
    std::tm utc{};
    gmtime_r(&seconds, &utc);
    char text[48];
    const size_t length = std::strftime(text, sizeof text, "%FT%T", &utc);
    snprintf(text + length, sizeof text - length, ".%06ldZ", static_cast<long>(micros - int64_t{seconds} * 1'000'000));
    return text;
}

std::string without_nul_escapes(std::string json_text)
{
    for (size_t at = nul_escape(json_text, 0); at != json_text.npos; at = nul_escape(json_text, at + 1)) json_text.replace(at, 6, "\\ufffd");
    return json_text;
}

json error_json(std::string_view error_class, std::string_view code, std::string_view message, std::string_view detail)
{
    json error{{"class", clean_text(error_class)}, {"code", clean_text(code)}, {"message", clean_text(front_of(message, 2000))}};
    if (!detail.empty()) error["detail"] = clean_text(back_of(detail, 8192));
    return error;
}

}  // namespace orch
