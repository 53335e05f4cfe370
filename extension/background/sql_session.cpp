#include "background/sql_session.hpp"

#include "background/turn.hpp"
#include "pg/user_sql.hpp"
#include "shared/clock.hpp"
#include "shared/settings.hpp"

extern "C" {
#include "commands/async.h"
#include "commands/prepare.h"
#include "commands/sequence.h"
#include "storage/lock.h"
#include "utils/portal.h"
}

namespace orch::background {

namespace {

// Notices are plain memory until they are taken: the hook runs inside ereport, where nothing may throw or fail.
struct Notice {
    Notice *next;
    TimestampTz at;
    int level;
    size_t length;
    char text[FLEXIBLE_ARRAY_MEMBER];
};

constexpr int most_notices = 10'000;

constinit Notice *first_notice = nullptr, *last_notice = nullptr;
constinit int notice_count = 0;
constinit bool catching = false;
constinit emit_log_hook_type previous_hook = nullptr;
constinit bool hit_time_limit = false;

void on_log(ErrorData *data)
{
    if (catching && data->elevel >= INFO && data->elevel <= WARNING && data->message) {
        // The log line of the task takes the place of a line in the server's log.
        data->output_to_server = false;
        const size_t length = std::strlen(data->message);
        auto *notice = notice_count < most_notices
                           ? static_cast<Notice *>(MemoryContextAllocExtended(TopMemoryContext, offsetof(Notice, text) + length, MCXT_ALLOC_NO_OOM))
                           : nullptr;
        if (notice) {
            notice->next = nullptr;
            notice->at = shared::now_us();
            notice->level = data->elevel;
            notice->length = length;
            std::memcpy(notice->text, data->message, length);
            (last_notice ? last_notice->next : first_notice) = notice;
            last_notice = notice;
            notice_count++;
        }
    }
    if (previous_hook) previous_hook(data);
}

class Catching {
public:
    Catching() { catching = true; }
    ~Catching() { catching = false; }
    Catching(const Catching &) = delete;
    Catching &operator=(const Catching &) = delete;
};

// statement_timeout is armed by the loop of a client's backend only; here it is ours to arm. Taking a timeout back does not ereport.
class TimeLimit {
public:
    explicit TimeLimit(double seconds) : ends_at_(seconds > 0 ? shared::monotonic_us() + static_cast<int64>(seconds * USECS_PER_SEC) : INT64_MAX)
    {
        hit_time_limit = false;
        const int milliseconds = static_cast<int>(std::clamp(seconds * 1000, 1.0, static_cast<double>(INT_MAX)));
        if (seconds > 0) pg::call_pg([=] { enable_timeout_after(STATEMENT_TIMEOUT, milliseconds); });
    }
    ~TimeLimit()
    {
        if (ends_at_ == INT64_MAX) return;
        hit_time_limit = shared::monotonic_us() >= ends_at_;
        disable_timeout(STATEMENT_TIMEOUT, false);
    }
    TimeLimit(const TimeLimit &) = delete;
    TimeLimit &operator=(const TimeLimit &) = delete;

private:
    int64 ends_at_;
};

void apply_settings(const core::Json &settings)
{
    if (!settings.is_object()) return;
    for (const auto &[name, value] : settings.items()) {
        const std::string text = value.is_string() ? value.get<std::string>() : core::to_text(value);
        const char *setting = name.c_str(), *source = text.c_str();
        pg::call_pg([&] { set_config_option(setting, source, superuser() ? PGC_SUSET : PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false); });
    }
}

const char *level_word(int level) { return level == WARNING ? "warning" : level == INFO ? "info" : "notice"; }

}  // namespace

RunnerSql sql_of(const std::string &spec)
{
    auto parsed = core::parse(spec, {.max_bytes = SIZE_MAX, .exact_integers = false});
    const core::Json &json = std::get<core::Json>(parsed);
    RunnerSql sql;
    sql.text = core::member(json, "sql")->get<std::string>();
    if (const core::Json *params = core::member(json, "params")) sql.params = *params;
    if (const core::Json *settings = core::member(json, "settings")) sql.settings = *settings;
    if (const core::Json *seconds = core::member(json, "timeout_seconds")) sql.timeout_seconds = seconds->get<double>();
    return sql;
}

void begin_sql_session()
{
    previous_hook = emit_log_hook;
    emit_log_hook = on_log;
    // Below this level a background worker does not even form a notice.
    pg::call_pg([] { SetConfigOption("log_min_messages", "notice", PGC_SUSET, PGC_S_OVERRIDE); });
}

std::string run_sql(const RunnerSql &sql)
{
    const Catching catching_notices;
    pg::SqlResult result;
    pg::call_pg([] { SPI_connect(); });
    apply_settings(sql.settings);
    {
        const TimeLimit limit(sql.timeout_seconds);
        result = pg::execute_user_sql(sql.text, sql.params, static_cast<size_t>(settings::max_result_bytes));
    }
    pg::call_pg([] { SPI_finish(); });
    if (result.truncated)
        throw pg::error{ERRCODE_PROGRAM_LIMIT_EXCEEDED, "the rows have more than orch.max_result_bytes (" + std::to_string(settings::max_result_bytes) + ")",
                        "The statement's effect is rolled back.", "Select less, or write the rows to a table."};
    return R"({"row_count":)" + std::to_string(result.row_count) + R"(,"rows":)" + result.rows + "}";
}

bool timed_out() { return hit_time_limit; }

std::vector<engine::LogLine> take_notices()
{
    std::vector<engine::LogLine> lines;
    while (Notice *notice = first_notice) {
        lines.push_back({level_word(notice->level), std::string(notice->text, notice->length), notice->at});
        first_notice = notice->next;
        pfree(notice);
    }
    last_notice = nullptr;
    notice_count = 0;
    return lines;
}

void forget_session()
{
    bare_turn("resetting the session", "the runner goes on", [](void *) {
        pg::call_pg([] {
            SetPGVariable("session_authorization", NIL, false);
            ResetAllOptions();
            PortalHashTableDeleteAll();  // cursors WITH HOLD
            DropAllPreparedStatements();
            Async_UnlistenAll();
            LockReleaseAll(USER_LOCKMETHOD, true);
            ResetTempTableNamespace();
            ResetSequenceCaches();
        });
        return false;
    });
    take_notices();
}

}  // namespace orch::background
