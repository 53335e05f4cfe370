#include "engine/document.hpp"

#include "core/spec.hpp"
#include "core/states.hpp"
#include "core/template.hpp"
#include "engine/event_batch.hpp"
#include "pg/column.hpp"
#include "pg/expression.hpp"
#include "shared/settings.hpp"

#include <numeric>

namespace orch::engine {

namespace {

std::string json_string(std::string_view text) { return core::to_text(text); }

// A member of an object under construction, with its comma.
void put(std::string &object, std::string_view key, std::string_view json)
{
    if (object.back() != '{') object += ',';
    object += json_string(key);
    object += ':';
    object += json;
}

struct Known {
    char state;
    std::string output = "null";
    std::string error = "null";
};

// States and results of the tasks that are named, as the tables show them.
std::unordered_map<int32, Known> load_results(const RunId &run, const std::vector<int32> &tasks)
{
    static pg::Statement select("select t.task_no, t.state, e.payload from unnest($2::int4[]) u(task_no)"
                                " join _orch.task_{} t on t.run_id = $1 and t.task_no = u.task_no"
                                " left join _orch.event_{} e on e.run_id = t.run_id and e.task_no = t.task_no and e.no = t.output_no",
                                {UUIDOID, INT4ARRAYOID});
    pg::Column numbers(INT4OID);
    for (int32 task : tasks) numbers.add(Int32GetDatum(task));
    pg::Rows rows = select.run_on(day_of(run), pg::Parameters<2>().add(pg::uuid_datum(run)).add(numbers.array()));
    std::unordered_map<int32, Known> known;
    for (uint64 i = 0; i < rows.count(); i++) {
        Known k{rows.letter(i, 2)};
        if (auto payload = rows.maybe(i, 3)) {
            std::string text = pg::json_text_of(*payload);
            (k.state == core::task_state::succeeded ? k.output : k.error) = std::move(text);
        }
        known.emplace(rows.int4(i, 1), std::move(k));
    }
    return known;
}

std::string run_object(const RunId &run, const Version &version, const RunFacts &facts)
{
    std::string failed = "[";
    for (int32 task : facts.failed) {
        if (failed.size() > 1) failed += ',';
        failed += json_string(version.task(task).id);
    }
    failed += ']';
    std::string object = "{";
    put(object, "id", json_string(core::uuid_to_text(run)));
    put(object, "workflow", json_string(version.workflow));
    put(object, "version", std::to_string(version.number));
    put(object, "tenant", json_string(version.tenant));
    put(object, "state", json_string(core::run_state_name(facts.state)));
    put(object, "failed_tasks", failed);
    return object + '}';
}

}  // namespace

RunFacts facts_of(const RunId &run)
{
    static pg::Statement state("select coalesce(upper(r.outcome::text)::\"char\", r.state) from _orch.run_{} r where r.run_id = $1", {UUIDOID});
    static pg::Statement failed("select t.task_no from _orch.task_{} t where t.run_id = $1 and t.state in ('F', 'T') order by t.task_no", {UUIDOID});
    const Datum id = pg::uuid_datum(run);
    RunFacts facts;
    pg::Rows rows = state.run_on(day_of(run), pg::Parameters<1>().add(id));
    if (!rows.empty()) facts.state = rows.letter(0, 1);
    rows = failed.run_on(day_of(run), pg::Parameters<1>().add(id));
    for (uint64 i = 0; i < rows.count(); i++) facts.failed.push_back(rows.int4(i, 1));
    return facts;
}

std::string input_of(const RunId &run)
{
    static pg::Statement select("select payload from _orch.event_{} where run_id = $1 and task_no = -1 and no = 1", {UUIDOID});
    pg::Rows rows = select.run_on(day_of(run), pg::Parameters<1>().add(pg::uuid_datum(run)));
    if (rows.empty() || rows.is_null(0, 1)) return "{}";
    return pg::json_text_of(rows.get(0, 1));
}

Datum Document::build(const std::vector<int32> &tasks, bool input, bool run)
{
    std::string text = "{";
    if (run) put(text, "run", run_object(run_, version_, facts_));
    if (input) put(text, "input", input_of(run_));
    std::string objects = "{";
    if (!tasks.empty()) {
        auto known = load_results(run_, tasks);
        for (int32 task : tasks) {
            Known k = known.count(task) ? std::move(known.at(task)) : Known{core::task_state::pending};
            if (fresh_)
                if (auto f = fresh_->find(task); f != fresh_->end()) k = Known{f->second.state, f->second.output, f->second.error};
            std::string object = "{";
            put(object, "state", json_string(core::task_state_name(k.state)));
            // A task that has not succeeded has no output at all, so that a template with a fallback takes the next one.
            if (k.state == core::task_state::succeeded) put(object, "output", k.output);
            if (core::counts_as_failed(k.state)) put(object, "error", k.error);
            put(objects, version_.task(task).id, object + '}');
        }
    }
    put(text, "tasks", objects + '}');
    return pg::jsonb_datum(text + '}');
}

template <class Render>
std::string Document::resolve_in(Datum document, const Render &render)
{
    std::string text;
    try {
        pg::bounded(settings::expression_timeout_ms, [&] {
            text = render([&](const std::string &path) -> std::optional<std::string> {
                std::optional<Datum> found = pg::find_path(document, path);
                if (!found) return std::nullopt;
                return pg::json_text_of(*found);
            });
        });
    } catch (const core::template_error &e) {
        throw expression_error{"template_unresolved", e.what()};
    } catch (const pg::expression_failed &e) {
        throw expression_error{e.timed_out ? "expression_timeout" : "template_unresolved", e.message};
    }
    return text;
}

std::string Document::resolve(const core::PlannedTask &task, const core::Json &value)
{
    // What code started holds values: two braces in them are no template.
    if (!task.has_templates || !core::has_template(value)) return core::to_text(value);
    return resolve_in(build(task.referenced, task.references_input, task.references_run),
                      [&](const core::Resolver &resolver) { return core::render(value, resolver); });
}

std::string Document::resolve_spec(const core::PlannedTask &task)
{
    return resolve_in(build(task.referenced, task.references_input, task.references_run),
                      [&](const core::Resolver &resolver) { return core::render_spec(task, resolver); });
}

bool Document::holds(const core::PlannedTask &task)
{
    Datum document = build(task.referenced, task.references_input, task.references_run);
    bool holds = false;
    try {
        pg::bounded(settings::expression_timeout_ms, [&] { holds = pg::path_holds(document, task.when); });
    } catch (const pg::expression_failed &e) {
        if (e.timed_out) throw expression_error{"expression_timeout", e.message};
    }
    return holds;
}

std::string Document::resolve_output()
{
    std::vector<int32> all(static_cast<size_t>(version_.task_count()));
    std::iota(all.begin(), all.end(), 0);
    return resolve_in(build(all, true, true), [&](const core::Resolver &resolver) { return core::render(version_.plan.output, resolver); });
}

}  // namespace orch::engine
