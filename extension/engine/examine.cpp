#include "core/definition.hpp"
#include "core/validation.hpp"
#include "engine/register.hpp"
#include "engine/sql_tasks.hpp"
#include "shared/settings.hpp"

extern "C" {
#include "mb/pg_wchar.h"
#include "utils/fmgrprotos.h"
}

namespace orch::engine {

namespace {

using core::Findings;
using core::Json;
using core::TaskEntry;

// Problems found beside those of the core, up to the same limit.
void append(std::vector<core::Problem> &problems, Findings findings)
{
    for (core::Problem &p : std::move(findings).take()) problems.push_back(std::move(p));
}

size_t room_in(const std::vector<core::Problem> &problems) { return core::max_shown_problems - std::min(problems.size(), core::max_shown_problems); }

std::string text_setting(const Json &spec, const TaskEntry &entry, std::string_view key, std::string_view otherwise)
{
    const Json *value = core::member(*entry.body, key);
    if (const Json *defaults = core::member(spec, "defaults"); !value && defaults) value = core::member(*defaults, key);
    if (!value) value = core::member(spec, key);
    return value && value->is_string() ? value->get<std::string>() : std::string(otherwise);
}

}  // namespace

Examined examine(std::string_view text)
{
    if (GetDatabaseEncoding() != PG_UTF8)
        throw pg::error{ERRCODE_FEATURE_NOT_SUPPORTED,
                        std::string("orch needs a database in UTF8, this one is in ") + GetDatabaseEncodingName(),
                        "Definitions are JSON, which is UTF-8.",
                        {}};
    Examined examined;
    auto parsed = core::parse(text, {.max_bytes = static_cast<size_t>(settings::max_spec_bytes)});
    if (auto *problem = std::get_if<core::Problem>(&parsed)) {
        examined.problems.push_back(std::move(*problem));
        return examined;
    }
    examined.spec = std::get<Json>(std::move(parsed));

    pg::Trials trials;
    const auto path_fault = [&](std::string_view path) -> std::optional<std::string> {
        const std::string copy(path);
        const char *source = copy.c_str();
        auto refused = trials.attempt([&] { DirectFunctionCall1(jsonpath_in, CStringGetDatum(source)); });
        return refused ? std::optional(refused->message) : std::nullopt;
    };
    try {
        examined.problems = core::validate(examined.spec, path_fault);
        if (const size_t room = room_in(examined.problems)) {
            Findings findings(room);
            check_sql_tasks(examined.spec, trials, findings);
            append(examined.problems, std::move(findings));
        }
    } catch (...) {
        trials.end();
        throw;
    }
    trials.end();
    return examined;
}

void warn_of_unknown_handlers(const Call &call, Examined &examined)
{
    static pg::Statement unserved("select (u.no - 1)::int4 from unnest($1::text[], $2::text[]) with ordinality u(queue, handler, no)"
                                  " where not exists (select 1 from _orch.worker w where w.stopped_at is null and u.queue = any(w.queues) and u.handler = "
                                  "any(w.handlers) and w.tenant = $3)"
                                  " order by 1",
                                  {TEXTARRAYOID, TEXTARRAYOID, TEXTOID});
    struct Use {
        std::string queue, handler;
        const TaskEntry *first;
    };
    const std::vector<TaskEntry> entries = core::task_entries(examined.spec);
    std::vector<Use> uses;
    std::map<std::pair<std::string, std::string>, size_t> known;
    for (const TaskEntry &entry : entries) {
        const Json *handler = core::member(*entry.body, "handler");
        if (!handler || !handler->is_string()) continue;
        Use use{text_setting(examined.spec, entry, "queue", "default"), handler->get<std::string>(), &entry};
        if (known.emplace(std::pair(use.queue, use.handler), uses.size()).second) uses.push_back(std::move(use));
    }
    const size_t room = room_in(examined.problems);
    if (uses.empty() || room == 0) return;
    pg::Column queues(TEXTOID), handlers(TEXTOID);
    for (const Use &use : uses) {
        queues.add(pg::text_datum(use.queue));
        handlers.add(pg::text_datum(use.handler));
    }
    const pg::Rows rows = unserved.run(Parameters<3>().add(queues.array()).add(handlers.array()).add(pg::text_datum(call.tenant())));
    Findings findings(room);
    for (uint64 i = 0; i < rows.count(); i++) {
        const Use &use = uses[rows.int4(i, 1)];
        const core::Place task = core::task_place(*use.first);
        findings.warning(core::ProblemCode::unknown_handler, task / "handler",
                         "no worker serves handler " + core::in_quotes(use.handler) + " on queue " + core::in_quotes(use.queue),
                         "Its tasks will wait until one does.", "Start a worker with this queue and handler, or check the spelling.");
    }
    append(examined.problems, std::move(findings));
}

}  // namespace orch::engine
