#pragma once

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace orch {

/// What the server, or the way to it, refused. Branch on `code`, a SQLSTATE: OR001 to OR031 are the engine's own, the rest are PostgreSQL's;
/// 08001 is a server that cannot be reached, 08006 a connection that broke.
class error : public std::runtime_error {
public:
    error(std::string code, const std::string &message, std::string detail = {}, std::string hint = {}, bool poisons_connection = false)
        : std::runtime_error(message), code(std::move(code)), detail(std::move(detail)), hint(std::move(hint)), poisons_connection(poisons_connection)
    {
    }

    /// True where the same call may succeed later: connection, conflict, resource and shutdown errors.
    [[nodiscard]] bool retryable() const noexcept;

    std::string code;
    std::string detail;       ///< Facts, in full sentences; may be empty.
    std::string hint;         ///< What to do about it; may be empty.
    bool poisons_connection;  ///< The connection is of no use any more.
};

/// What a handler throws to say how its attempt failed. Any other exception counts as class `handler`, an orch::error as the class of its SQLSTATE.
class task_error : public std::runtime_error {
public:
    /// `error_class` is one of transient, timeout, validation, resource, infrastructure, handler, cancelled, unknown; it decides whether a retry follows.
    task_error(std::string error_class, std::string code, const std::string &message, std::string detail = {})
        : std::runtime_error(message), error_class(std::move(error_class)), code(std::move(code)), detail(std::move(detail))
    {
    }

    std::string error_class;
    std::string code;
    std::string detail;
    std::optional<std::chrono::milliseconds> retry_after{};  ///< The least delay before the next attempt, where there is one.
};

/// What a handler throws to skip its own task: its children's trigger rules see a skipped parent.
class skip_task : public std::runtime_error {
public:
    explicit skip_task(const std::string &reason = "") : std::runtime_error(reason) {}
};

/// The class of a task error that a SQLSTATE stands for, by the same table as the engine's.
[[nodiscard]] std::string_view class_of_sqlstate(std::string_view sqlstate) noexcept;

}  // namespace orch
