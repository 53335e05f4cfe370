// The two exceptions of the extension: an error that PostgreSQL raised, on its way through C++ frames, and one that orch raises itself.
#pragma once

#include "pg/postgres.hpp"

namespace orch::pg {

/// An ereport that call_pg caught. Thrown by value; owns nothing: the ErrorData lives in the memory context that was current.
struct pg_error {
    ErrorData *data;
};

/// Five characters of SQLSTATE as PostgreSQL packs them.
constexpr int sqlstate(const char (&code)[6])
{
    int packed = 0;
    for (int i = 0; i < 5; i++) packed |= ((code[i] - '0') & 0x3F) << (6 * i);
    return packed;
}

/// An error of orch's own: message in lower case without a period; detail and hint are full sentences, either may be empty.
struct error {
    int code;
    std::string message;
    std::string detail;
    std::string hint;
};

// The private class, documented in docs/errors.md.
inline constexpr int invalid_definition = sqlstate("OR001");
inline constexpr int unknown_workflow = sqlstate("OR002");
inline constexpr int unknown_run = sqlstate("OR003");
inline constexpr int idempotency_conflict = sqlstate("OR004");
inline constexpr int limit_reached = sqlstate("OR005");
inline constexpr int lease_lost = sqlstate("OR010");
inline constexpr int already_settled = sqlstate("OR011");
inline constexpr int not_your_lease = sqlstate("OR012");
inline constexpr int result_too_large = sqlstate("OR013");
inline constexpr int wrong_state = sqlstate("OR020");
inline constexpr int other_version = sqlstate("OR021");
inline constexpr int held = sqlstate("OR030");
inline constexpr int not_preloaded = sqlstate("OR031");
inline constexpr int no_answer = sqlstate("OR040");
inline constexpr int answered_with_error = sqlstate("OR041");

}  // namespace orch::pg
