// orch.register, validate, plan and graph.
#include "core/graph.hpp"
#include "engine/register.hpp"
#include "engine/run_look.hpp"
#include "functions/arguments.hpp"
#include "shared/database.hpp"

namespace orch::functions {

namespace {

using engine::Call;
using engine::Examined;

engine::RegisterOptions register_options(const Arguments &arguments)
{
    const std::string word = arguments.text(1, "if_exists");
    if (word != "version" && word != "error")
        throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE, "if_exists is " + core::in_quotes(word) + ", not 'version' or 'error'", {}, {}};
    return {.must_be_new = word == "error", .if_version = arguments.is_null(2) ? std::nullopt : std::optional(arguments.int4(2, "if_version"))};
}

[[noreturn]] void raise_invalid(const Examined &examined)
{
    // One problem is the message itself; of several the first is, since many clients show nothing else.
    size_t errors = 0;
    std::string first;
    for (const core::Problem &p : examined.problems) {
        if (p.severity != core::Severity::error) continue;
        if (errors++ == 0) first = p.message;
    }
    if (errors > 1) first += " (and " + std::to_string(errors - 1) + (errors == 2 ? " more problem)" : " more problems)");
    throw pg::error{pg::invalid_definition, "invalid definition: " + first, core::summary(examined.problems),
                    "Mend what DETAIL lists, by JSON Pointer; orch.validate(spec) shows it as rows."};
}

// `spec` gives the jsonb once the engine's session is open.
template <class Spec>
Datum register_text(FunctionCallInfo fcinfo, const std::string &text, Spec spec)
{
    const engine::RegisterOptions options = register_options(Arguments(fcinfo));
    shared::require_preloaded();
    engine::require_primary("orch.register()");
    Examined examined = engine::examine(text);
    if (core::has_errors(examined.problems)) raise_invalid(examined);
    Call call;
    engine::examine_children(call, examined);
    if (core::has_errors(examined.problems)) raise_invalid(examined);
    const engine::Registered registered = engine::register_definition(call, spec(), options);
    call.finish();
    return one_row<3>(fcinfo, {pg::text_datum(registered.workflow), Int32GetDatum(registered.version), BoolGetDatum(registered.created)});
}

Datum register_from_text(FunctionCallInfo fcinfo)
{
    const std::string text = Arguments(fcinfo).text(0, "spec");
    return register_text(fcinfo, text, [&] { return pg::jsonb_datum(text); });
}

Datum register_from_jsonb(FunctionCallInfo fcinfo)
{
    const Datum spec = Arguments(fcinfo).required(0, "spec");
    return register_text(fcinfo, pg::json_text_of(spec), [&] { return spec; });
}

Datum validate_text(FunctionCallInfo fcinfo, const std::string &text)
{
    pg::ResultSet result(fcinfo);
    Examined examined = engine::examine(text);
    if (!examined.spec.is_null()) {
        Call call;
        engine::examine_children(call, examined);
        engine::warn_of_unknown_handlers(call, examined);
        call.finish();
    }
    const auto text_or_null = [](const std::string &t) { return t.empty() ? std::nullopt : std::optional(pg::text_datum(t)); };
    for (const core::Problem &p : examined.problems)
        result.add<6>({pg::text_datum(core::severity_name(p.severity)), pg::text_datum(p.path), pg::text_datum(p.code), pg::text_datum(p.message),
                       text_or_null(p.detail), text_or_null(p.hint)});
    return 0;
}

Datum validate_from_text(FunctionCallInfo fcinfo) { return validate_text(fcinfo, Arguments(fcinfo).text(0, "spec")); }

Datum validate_from_jsonb(FunctionCallInfo fcinfo) { return validate_text(fcinfo, pg::json_text_of(Arguments(fcinfo).required(0, "spec"))); }

Datum ids_of(const core::Plan &plan, const std::vector<int32> &tasks)
{
    pg::Column ids(TEXTOID);
    for (int32 task : tasks) ids.add(pg::text_datum(plan.tasks[task].id));
    return ids.array();
}

Datum plan(FunctionCallInfo fcinfo)
{
    const Arguments arguments(fcinfo);
    pg::ResultSet result(fcinfo);
    const std::string workflow = arguments.text(0, "workflow");
    const std::optional<int32> number = arguments.is_null(1) ? std::nullopt : std::optional(arguments.int4(1, "version"));
    Call call;
    const core::Plan &plan = engine::current_version(call.tenant(), workflow, number).version->plan;
    std::vector<bool> critical(plan.tasks.size());
    for (int32 task : core::critical_path(plan)) critical[task] = true;
    for (int32 task : plan.order) {
        const core::PlannedTask &t = plan.tasks[task];
        result.add<5>({Int32GetDatum(task), pg::text_datum(t.id), Int32GetDatum(t.level), ids_of(plan, t.parents), BoolGetDatum(critical[task])});
    }
    call.finish();
    return 0;
}

std::string graph_of(Call &call, const std::string &target, core::GraphFormat format)
{
    const std::optional<core::Uuid> run = core::uuid_from_text(target);
    if (!run) return core::render_graph(engine::current_version(call.tenant(), target, std::nullopt).version->plan, format);
    const engine::RunLook look = engine::look_at_run(call, *run);
    std::vector<char> states;
    for (const engine::TaskLook &task : engine::look_at_tasks(look)) states.push_back(task.state);
    return core::render_graph(look.version->plan, format, states);
}

Datum graph(FunctionCallInfo fcinfo)
{
    const Arguments arguments(fcinfo);
    const std::string target = arguments.text(0, "target"), word = arguments.text(1, "format");
    const auto format = core::graph_format_from(word);
    if (!format) throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE, "unknown format " + core::in_quotes(word), {}, "Formats are text, mermaid and dot."};
    Call call;
    const std::string text = graph_of(call, target, *format);
    call.finish();
    return pg::text_datum(text);
}

}  // namespace

}  // namespace orch::functions

ORCH_FUNCTION(orch_register, orch::functions::register_from_text)
ORCH_FUNCTION(orch_register_jsonb, orch::functions::register_from_jsonb)
ORCH_FUNCTION(orch_validate, orch::functions::validate_from_text)
ORCH_FUNCTION(orch_validate_jsonb, orch::functions::validate_from_jsonb)
ORCH_FUNCTION(orch_plan, orch::functions::plan)
ORCH_FUNCTION(orch_graph, orch::functions::graph)
