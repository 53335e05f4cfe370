#pragma once

#include "server/problem.hpp"

#include <libpq-fe.h>

#include <exception>
#include <string>

namespace orch::bridge {

/// What the database refused, or that it is away.
class DatabaseError : public std::exception {
public:
    DatabaseError(std::string code, std::string message) : code(std::move(code)), message(std::move(message)) {}
    explicit DatabaseError(const PGresult *result);

    std::string code;  ///< the SQLSTATE; 08006 where the connection broke
    std::string message, detail, hint;
    bool lost = false;     ///< the connection is gone
    bool unknown = false;  ///< it went after the statement was sent: nobody can say whether that took effect

    const char *what() const noexcept override { return message.c_str(); }
    /// Worth another try by itself: the transaction lost a race and left nothing.
    [[nodiscard]] bool transient() const { return code == "40001" || code == "40P01"; }
};

/// The one table from SQLSTATE to status.
[[nodiscard]] int status_of(const std::string &sqlstate);
[[nodiscard]] Problem to_problem(const DatabaseError &error);

}  // namespace orch::bridge
