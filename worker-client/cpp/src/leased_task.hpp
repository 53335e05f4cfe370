#pragma once

#include "orch/connection.hpp"
#include "orch/worker.hpp"

#include <atomic>
#include <mutex>
#include <string>
#include <vector>

namespace orch {

/// A leased task and all that this worker knows of it. The loop and the task's thread share it.
class leased_task : public task_context {
public:
    leased_task();
    leased_task(const rows &leased, int row);

    void log(std::string_view line, std::string_view stream) override;
    void progress(const json &details) override;
    json load(const json &value) override { return payloads ? payloads->load(value) : value; }

    /// The input as its handler gets it; what of an output or an error goes to the database.
    [[nodiscard]] json given() const { return payloads ? payloads->decode(json::parse(input)) : json::parse(input); }
    [[nodiscard]] json kept(json output) const { return payloads ? payloads->encode(std::move(output), "runs/" + run_id) : output; }
    [[nodiscard]] json kept_error(json error) const { return payloads ? payloads->encode_error(std::move(error)) : error; }

    /// Lines written since the last call, as the JSON that orch.log takes; empty where there are none.
    [[nodiscard]] std::string take_lines();
    /// The newest progress that was not taken yet; empty where there is none, or where the last one is so young that the server would not store it.
    [[nodiscard]] std::string take_progress(std::chrono::steady_clock::time_point now);

    /// Why it was told to stop.
    enum class reason { none, cancelled, timed_out, lost, draining };
    void interrupt(reason why);
    [[nodiscard]] reason interrupted() const noexcept { return why_.load(); }

    /// What it is served under: a handler's name, or `:command`, `:http`.
    [[nodiscard]] std::string route() const { return executor == "handler" ? handler : ":" + executor; }

    std::shared_ptr<const orch::payloads> payloads;
    std::string lease;
    std::string executor;
    std::string handler;
    std::string spec;   // JSON text
    std::string input;  // JSON text
    std::chrono::steady_clock::time_point leased_at;
    int absences = 0;  // heartbeats in a row whose answer did not name it

private:
    std::stop_source stop_source_;
    std::atomic<reason> why_{reason::none};
    std::mutex lock_;
    std::string lines_;
    std::string progress_;
    std::chrono::steady_clock::time_point progress_at_{};  // when the last one was taken
    int line_count_ = 0;
    size_t line_bytes_ = 0;
};

/// How an attempt ended, ready to be sent: the fields of one element of orch.exchange's results, without its lease.
struct outcome {
    std::string fields;
    [[nodiscard]] static outcome success(const json &output);
    [[nodiscard]] static outcome failure(const json &error);
    [[nodiscard]] static outcome skip(std::string_view reason);
    [[nodiscard]] bool is_success() const { return fields.starts_with("\"output\""); }
    [[nodiscard]] bool is_skip() const { return fields.starts_with("\"skip\""); }
    /// The class of a failure's error, an empty text of anything else.
    [[nodiscard]] std::string error_class() const;
    [[nodiscard]] bool is_failure() const { return fields.starts_with("\"error\""); }
};

/// As PostgreSQL reads it: 2026-01-01T00:00:00.000000Z.
[[nodiscard]] std::string utc_text(std::chrono::system_clock::time_point time);

/// JSON text with U+FFFD for each NUL escape, which jsonb refuses.
[[nodiscard]] std::string without_nul_escapes(std::string json_text);

/// {class, code, message} and what else is not empty, as clean and bounded text.
[[nodiscard]] json error_json(std::string_view error_class, std::string_view code, std::string_view message, std::string_view detail = {});

}  // namespace orch
