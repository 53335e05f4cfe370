#include "database/error.hpp"

#include <array>
#include <utility>

namespace orch::bridge {

namespace {

std::string field_of(const PGresult *result, int field)
{
    const char *text = PQresultErrorField(result, field);
    return text == nullptr ? std::string() : text;
}

struct StatusOf {
    std::string_view code;  ///< a SQLSTATE, or how it begins
    int status;
};

// The first that fits counts. What is not here is a fault of ours: 500.
constexpr std::array status_table = {
    StatusOf{"OR001", 422},  // invalid definition
    StatusOf{"OR002", 404},  // unknown workflow
    StatusOf{"OR003", 404},  // unknown run
    StatusOf{"OR004", 422},  // the key belongs to other content
    StatusOf{"OR005", 429},  // a limit is reached
    StatusOf{"OR010", 409}, StatusOf{"OR011", 409}, StatusOf{"OR012", 409}, StatusOf{"OR013", 413}, StatusOf{"OR020", 409},
    StatusOf{"OR021", 412},  // another version is the current one
    StatusOf{"OR03", 503},   // held, not preloaded
    StatusOf{"22023", 422}, StatusOf{"22", 400},    StatusOf{"23505", 409}, StatusOf{"23", 422},    StatusOf{"42501", 403},
    StatusOf{"42704", 404}, StatusOf{"42710", 409}, StatusOf{"54", 413},  // more than a limit of the server's own
    StatusOf{"55000", 409}, StatusOf{"0A000", 422}, StatusOf{"26000", 503}, StatusOf{"40", 503},    StatusOf{"55P03", 503},
    StatusOf{"57", 503},    StatusOf{"08", 503},    StatusOf{"53", 503},    StatusOf{"25006", 503}, StatusOf{"28", 503},
    StatusOf{"3D000", 503}, StatusOf{"3F000", 503}, StatusOf{"42883", 503}, StatusOf{"42P01", 503},
};

}  // namespace

DatabaseError::DatabaseError(const PGresult *result)
    : code(field_of(result, PG_DIAG_SQLSTATE)), message(field_of(result, PG_DIAG_MESSAGE_PRIMARY)), detail(field_of(result, PG_DIAG_MESSAGE_DETAIL)),
      hint(field_of(result, PG_DIAG_MESSAGE_HINT))
{
    if (code.empty()) code = "08006";
    if (message.empty()) message = "the connection to the database broke";
}

int status_of(const std::string &sqlstate)
{
    for (const StatusOf &row : status_table)
        if (sqlstate.starts_with(row.code)) return row.status;
    return 500;
}

Problem to_problem(const DatabaseError &error)
{
    Problem problem(status_of(error.code), error.code, error.message);
    problem.detail = error.detail;
    problem.hint = error.hint;
    if (error.unknown && problem.detail.empty()) problem.detail = "The connection broke after the request had been sent on, so it may have taken effect.";
    if (problem.status == 503 || problem.status == 429) problem.headers.emplace_back("Retry-After", "1");
    return problem;
}

}  // namespace orch::bridge
