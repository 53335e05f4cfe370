#include "background/sql_session.hpp"

#include "background/turn.hpp"
#include "pg/sql_meter.hpp"
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
pg::SqlCost *cost = nullptr;  // leaked: of the last run_sql
constinit std::optional<uint64> row_count = std::nullopt;

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
    cost = new pg::SqlCost;
    pg::install_sql_meter();
    // Below this level a background worker does not even form a notice.
    pg::call_pg([] { SetConfigOption("log_min_messages", "notice", PGC_SUSET, PGC_S_OVERRIDE); });
}

std::string run_sql(const RunnerSql &sql)
{
    const Catching catching_notices;
    pg::SqlResult result;
    row_count.reset();
    pg::call_pg([] { SPI_connect(); });
    apply_settings(sql.settings);
    {
        const TimeLimit limit(sql.timeout_seconds);
        const int64 plans_from_us = settings::log_plan_min_duration_ms < 0 ? -1 : settings::log_plan_min_duration_ms * INT64CONST(1000);
        const pg::SqlMeter meter(sql.text.c_str(), plans_from_us, *cost);
        result = pg::execute_user_sql(sql.text, sql.params, static_cast<size_t>(settings::max_result_bytes));
    }
    pg::call_pg([] { SPI_finish(); });
    row_count = result.row_count;
    if (result.truncated)
        throw pg::error{ERRCODE_PROGRAM_LIMIT_EXCEEDED, "the rows have more than orch.max_result_bytes (" + std::to_string(settings::max_result_bytes) + ")",
                        "The statement's effect is rolled back.", "Select less, or write the rows to a table."};
    return R"({"row_count":)" + std::to_string(result.row_count) + R"(,"rows":)" + result.rows + "}";
}

std::string cost_of_sql()
{
    if (cost->duration_us == 0) return {};
    core::Json sql = core::Json::object();
    if (row_count) sql["rows"] = *row_count;
    sql["duration_ms"] = static_cast<double>(cost->duration_us) / 1000;
    sql["buffers_hit"] = cost->buffers_hit;
    sql["buffers_read"] = cost->buffers_read;
    sql["buffers_dirtied"] = cost->buffers_dirtied;
    sql["buffers_written"] = cost->buffers_written;
    sql["wal_bytes"] = cost->wal_bytes;
    if (std::string plans = pg::measured_plans(); !plans.empty()) sql["plan"] = std::move(plans);
    return core::to_text(core::Json{{"sql", std::move(sql)}});
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
    *cost = {};
}

}  // namespace orch::background
