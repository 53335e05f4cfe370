// The text of a SQL task, looked at before it ever runs: is it SQL, may it run inside the engine's transaction, does the catalogue know what it names.
#pragma once

#include "pg/trials.hpp"

namespace orch::pg {

struct SqlFault {
    std::string message, detail, hint;
    bool by_catalogue;   // wrong against the catalogue as it is now: a SQL task that runs before may change that
    bool behind_change;  // an earlier statement of the same text may change that
};

struct SqlCheck {
    std::vector<SqlFault> faults;
    int parameters = 0;  // the highest $n
};

/// Parses and analyses every statement of the text as the current user under the current search_path; nothing is executed. Parameters are typed as the runner
/// will type them (pg/user_sql.hpp): by what the statement makes of them, text where it does not say.
SqlCheck check_sql(Trials &trials, const std::string &text);

}  // namespace orch::pg
