#include "core/grammar.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "core/last_include.hpp"

namespace orch::core {
namespace {

constexpr double most_priority = 1000;  // run and task are added and stay within a smallint

constexpr Field workflow_table[] = {
    {"id", Shape::id},
    {"name", Shape::line},
    {"description", Shape::text},
    {"owner", Shape::line},
    {"labels", Shape::scalars},
    {"metadata", Shape::object},
    {"version", Shape::line},
    {"timeout_seconds", Shape::number, 0, longest_seconds},
    {"max_active_runs", Shape::integer, 1, 1'000'000},
    {"when_full", Shape::choice, 0, 0, "queue reject"},
    {"on_failure", Shape::choice, 0, 0, "fail_fast continue"},
    {"priority", Shape::integer, -most_priority, most_priority},
    {"queue", Shape::id},
    {"defaults", Shape::checked_apart},
    {"input_schema", Shape::not_yet},
    {"output", Shape::any},
    {"tags", Shape::labels},
    {"retention", Shape::not_yet},
    {"singleton_key", Shape::not_yet},
    {"debounce", Shape::not_yet},
    {"throttle", Shape::not_yet},
    {"depends_on_past", Shape::not_yet},
    {"latest_only", Shape::not_yet},
    {"tasks", Shape::checked_apart},
    {"finally", Shape::checked_apart},
};

constexpr Field task_table[] = {
    {"id", Shape::checked_apart},
    {"name", Shape::line},
    {"dependencies", Shape::checked_apart},
    {"trigger_rule", Shape::checked_apart},
    {"when", Shape::checked_apart},
    {"input", Shape::any},
    {"env", Shape::scalars, 0, 0, {}, "command"},
    {"for_each", Shape::not_yet},
    {"max_parallel", Shape::not_yet},
    {"tolerate", Shape::not_yet},
    {"first_of", Shape::not_yet},
    {"retries", Shape::integer, 0, 1000},
    {"retry_delay_seconds", Shape::number, 0, longest_seconds},
    {"retry_backoff", Shape::choice, 0, 0, "exponential fixed"},
    {"retry_max_delay_seconds", Shape::number, 0, longest_seconds},
    {"retry_jitter", Shape::number, 0, 1},
    {"retry_max_elapsed_seconds", Shape::number, 0, longest_seconds},
    {"retry_on", Shape::errors},
    {"no_retry_on", Shape::errors},
    {"timeout_seconds", Shape::number, 0, longest_seconds},
    {"start_timeout_seconds", Shape::not_yet},
    {"queue", Shape::id},
    {"priority", Shape::integer, -most_priority, most_priority},
    {"concurrency_key", Shape::not_yet},
    {"concurrency_limit", Shape::not_yet},
    {"rate_limit", Shape::not_yet},
    {"circuit", Shape::checked_apart},
    {"fallback", Shape::any},
    {"compensate", Shape::not_yet},
    {"cache", Shape::not_yet},
    {"expected_seconds", Shape::not_yet},
    {"batch", Shape::not_yet},
    {"external", Shape::not_yet},
    {"wait_for", Shape::not_yet},
    {"metadata", Shape::object},
    {"params", Shape::list, 0, 0, {}, "sql"},
    {"check", Shape::choice, 0, 0, "on off", "sql"},
    {"settings", Shape::scalars, 0, 0, {}, "sql"},
};

constexpr Field http_table[] = {
    {"method", Shape::choice, 0, 0, "GET HEAD POST PUT PATCH DELETE OPTIONS"},
    {"url", Shape::line},
    {"headers", Shape::texts},
    {"query", Shape::any},
    {"body", Shape::any},
    {"expect", Shape::any},
    {"llm", Shape::object},
};

constexpr Field circuit_table[] = {
    {"name", Shape::id},
    {"failures", Shape::integer, 1, 1000},
    {"open_seconds", Shape::number, 0.001, longest_seconds},
    {"successes", Shape::integer, 1, 1000},
};

constexpr Field decision_table[] = {
    {"left", Shape::any},
    {"op", Shape::choice, 0, 0, "== != < <= > >="},
    {"right", Shape::any},
};

constexpr Field signal_table[] = {
    {"name", Shape::line},
    {"timeout_seconds", Shape::number, 0, longest_seconds},
};

constexpr Field approval_table[] = {
    {"roles", Shape::list},
    {"form", Shape::any},
    {"timeout_seconds", Shape::number, 0, longest_seconds},
};

constexpr Field child_table[] = {
    {"id", Shape::line},
    {"input", Shape::any},
    {"wait", Shape::checked_apart},
    {"parent_close", Shape::choice, 0, 0, "cancel abandon"},
};

// In the order of enum Executor.
constexpr std::array<std::string_view, 14> executor_table = {"handler", "command", "callable", "http",     "sql",  "workflow", "sleep",
                                                             "until",   "signal",  "approval", "decision", "noop", "code",     "step"};
constexpr std::size_t executors_of_definitions = 12;

struct Synonym {
    std::string_view theirs, ours;
};

constexpr Synonym synonyms[] = {
    {"depends_on", "dependencies"},
    {"depends", "dependencies"},
    {"needs", "dependencies"},
    {"after", "dependencies"},
    {"upstream", "dependencies"},
    {"steps", "tasks"},
    {"jobs", "tasks"},
    {"nodes", "tasks"},
    {"if", "when"},
    {"condition", "when"},
    {"run", "command"},
    {"shell", "command"},
    {"script", "command"},
    {"cmd", "command"},
    {"bash", "command"},
    {"retry", "retries"},
    {"max_retries", "retries"},
    {"environment", "env"},
    {"args", "input"},
    {"inputs", "input"},
    {"arguments", "input"},
    {"query", "sql"},
    {"python", "callable"},
    {"function", "callable"},
    {"wait", "sleep"},
    {"delay", "sleep"},
    {"on_exit", "finally"},
    {"timeout", "timeout_seconds"},
    {"parameters", "params"},
    {"dag_id", "id"},
};

constexpr std::string_view sql_settings[] = {
    "application_name",
    "bytea_output",
    "constraint_exclusion",
    "cursor_tuple_fraction",
    "datestyle",
    "default_text_search_config",
    "effective_cache_size",
    "enable_bitmapscan",
    "enable_hashagg",
    "enable_hashjoin",
    "enable_indexonlyscan",
    "enable_indexscan",
    "enable_material",
    "enable_memoize",
    "enable_mergejoin",
    "enable_nestloop",
    "enable_parallel_append",
    "enable_parallel_hash",
    "enable_partition_pruning",
    "enable_partitionwise_aggregate",
    "enable_partitionwise_join",
    "enable_seqscan",
    "enable_sort",
    "extra_float_digits",
    "from_collapse_limit",
    "hash_mem_multiplier",
    "intervalstyle",
    "jit",
    "join_collapse_limit",
    "lock_timeout",
    "maintenance_work_mem",
    "max_parallel_maintenance_workers",
    "max_parallel_workers_per_gather",
    "plan_cache_mode",
    "random_page_cost",
    "search_path",
    "seq_page_cost",
    "temp_buffers",
    "timezone",
    "work_mem",
};

std::size_t edit_distance(std::string_view a, std::string_view b)
{
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); j++) row[j] = j;
    for (std::size_t i = 1; i <= a.size(); i++) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); j++) {
            const std::size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
        }
    }
    return row[b.size()];
}

}  // namespace

std::span<const Field> workflow_fields() { return workflow_table; }
std::span<const Field> task_fields() { return task_table; }
std::span<const Field> http_fields() { return http_table; }
std::span<const Field> circuit_fields() { return circuit_table; }
std::span<const Field> decision_fields() { return decision_table; }
std::span<const Field> signal_fields() { return signal_table; }
std::span<const Field> approval_fields() { return approval_table; }
std::span<const Field> child_fields() { return child_table; }
std::span<const std::string_view> executor_words() { return std::span(executor_table).first(executors_of_definitions); }
std::span<const std::string_view> all_executor_words() { return executor_table; }

const Field *find_field(std::span<const Field> fields, std::string_view name)
{
    const auto found = std::find_if(fields.begin(), fields.end(), [&](const Field &field) { return field.name == name; });
    return found == fields.end() ? nullptr : &*found;
}

std::string_view nearest_word(std::span<const Field> fields, std::span<const std::string_view> more_words, std::string_view word)
{
    std::vector<std::string_view> words(more_words.begin(), more_words.end());
    for (const Field &field : fields) words.push_back(field.name);
    for (const Synonym &synonym : synonyms)
        if (synonym.theirs == word && std::find(words.begin(), words.end(), synonym.ours) != words.end()) return synonym.ours;
    if (word.empty() || word.size() > 40) return {};

    std::string_view nearest;
    std::size_t best = 1 + std::min<std::size_t>(3, word.size() / 3);
    for (std::string_view candidate : words) {
        const std::size_t distance = edit_distance(word, candidate);
        if (distance >= best) continue;
        best = distance;
        nearest = candidate;
    }
    if (!nearest.empty() || word.size() < 4) return nearest;
    const auto longer = std::find_if(words.begin(), words.end(), [&](std::string_view candidate) { return candidate.substr(0, word.size()) == word; });
    return longer == words.end() ? std::string_view() : *longer;
}

bool is_sql_setting(std::string_view name)
{
    std::string lower(name);
    std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c); });
    return std::find(std::begin(sql_settings), std::end(sql_settings), lower) != std::end(sql_settings);
}

}  // namespace orch::core
