// Tasks that start runs of other workflows, looked at with the catalogue: workflows that do not exist, and rings in which every run would start the next.
#include "core/definition.hpp"
#include "core/template.hpp"
#include "core/validation.hpp"
#include "engine/register.hpp"

#include <set>

namespace orch::engine {

namespace {

using core::Json;

constexpr size_t most_visited = 1000;

struct ChildUse {
    size_t task;  // position among the entries
    std::string workflow;
    bool always;  // nothing on the way to it can keep it from running, but a failure
};

const Json *setting_of(const Json &spec, const core::TaskEntry &entry, std::string_view key)
{
    if (const Json *own = core::member(*entry.body, key)) return own;
    const Json *defaults = core::member(spec, "defaults");
    return defaults ? core::member(*defaults, key) : nullptr;
}

bool has_condition(const Json &spec, const core::TaskEntry &entry)
{
    if (setting_of(spec, entry, "when")) return true;
    const Json *rule = setting_of(spec, entry, "trigger_rule");
    if (!rule || !rule->is_string()) return false;
    const auto known = core::trigger_rule_from(rule->get_ref<const std::string &>());
    return known == core::TriggerRule::all_failed || known == core::TriggerRule::one_failed || known == core::TriggerRule::all_skipped;
}

// Which tasks run whenever all goes well. One in a cycle of dependencies, which is a problem by itself, counts as not.
std::vector<bool> tasks_that_always_run(const Json &spec, const std::vector<core::TaskEntry> &entries)
{
    std::unordered_map<std::string_view, size_t> by_id;
    for (size_t i = 0; i < entries.size(); i++) by_id.emplace(entries[i].id, i);
    std::vector<std::vector<size_t>> children(entries.size());
    std::vector<size_t> open(entries.size()), free;
    for (size_t i = 0; i < entries.size(); i++) {
        const Json *dependencies = core::member(*entries[i].body, "dependencies");
        if (dependencies && dependencies->is_array())
            for (const Json &id : *dependencies)
                if (id.is_string())
                    if (auto found = by_id.find(id.get_ref<const std::string &>()); found != by_id.end()) {
                        children[found->second].push_back(i);
                        open[i]++;
                    }
        if (open[i] == 0) free.push_back(i);
    }
    std::vector<bool> conditional(entries.size()), always(entries.size());
    while (!free.empty()) {
        const size_t task = free.back();
        free.pop_back();
        conditional[task] = conditional[task] || has_condition(spec, entries[task]);
        always[task] = !conditional[task];
        for (size_t child : children[task]) {
            conditional[child] = conditional[child] || conditional[task];
            if (--open[child] == 0) free.push_back(child);
        }
    }
    return always;
}

std::vector<ChildUse> child_uses(const Json &spec, const std::vector<core::TaskEntry> &entries)
{
    std::vector<ChildUse> uses;
    std::vector<bool> always;
    for (size_t i = 0; i < entries.size(); i++) {
        const Json *child = core::member(*entries[i].body, "workflow");
        const Json *id = child ? core::member(*child, "id") : nullptr;
        if (!id || !id->is_string() || core::text_has_template(id->get_ref<const std::string &>())) continue;
        if (always.empty()) always = tasks_that_always_run(spec, entries);
        uses.push_back({i, id->get<std::string>(), always[i]});
    }
    return uses;
}

std::optional<Json> current_spec(Datum tenant, const std::string &workflow)
{
    static pg::Statement select("select v.spec::text from _orch.workflow w join _orch.version v on v.version_id = w.version_id"
                                " where w.tenant = $1 and w.workflow = $2",
                                {TEXTOID, TEXTOID});
    const pg::Rows rows = select.run(Parameters<2>().add(tenant).add(pg::text_datum(workflow)));
    if (rows.empty()) return std::nullopt;
    auto parsed = core::parse(rows.text(0, 1), {.max_bytes = SIZE_MAX, .exact_integers = false});
    return std::get<Json>(std::move(parsed));
}

// The way from `from` back to `home` by tasks that always run: the workflows on it, nothing where there is none.
class Ring {
public:
    Ring(Datum tenant, std::string home) : tenant_(tenant), home_(std::move(home)) {}

    std::vector<std::string> from(const std::string &first)
    {
        std::vector<std::string> open{first};
        std::map<std::string, std::string> came_from{{first, ""}};
        while (!open.empty() && came_from.size() <= most_visited) {
            const std::string workflow = open.back();
            open.pop_back();
            if (workflow == home_) return way_to(workflow, came_from);
            for (const std::string &next : always_started_by(workflow))
                if (came_from.emplace(next, workflow).second) open.push_back(next);
        }
        return {};
    }

private:
    std::vector<std::string> always_started_by(const std::string &workflow)
    {
        std::vector<std::string> names;
        const std::optional<Json> spec = current_spec(tenant_, workflow);
        if (!spec) return names;
        for (const ChildUse &use : child_uses(*spec, core::task_entries(*spec)))
            if (use.always) names.push_back(use.workflow);
        return names;
    }

    static std::vector<std::string> way_to(std::string workflow, const std::map<std::string, std::string> &came_from)
    {
        std::vector<std::string> way;
        for (; !workflow.empty(); workflow = came_from.at(workflow)) way.push_back(workflow);
        std::reverse(way.begin(), way.end());
        return way;
    }

    Datum tenant_;
    std::string home_;
};

}  // namespace

void examine_children(Call &call, Examined &examined)
{
    const Json *own = core::member(examined.spec, "id");
    const std::vector<core::TaskEntry> entries = core::task_entries(examined.spec);
    const std::vector<ChildUse> uses = child_uses(examined.spec, entries);
    if (uses.empty() || !own || !own->is_string() || examined.problems.size() >= core::max_shown_problems) return;
    core::Findings findings(core::max_shown_problems - examined.problems.size());
    const std::string home = own->get<std::string>();
    const Datum tenant = pg::text_datum(call.tenant());
    Ring ring(tenant, home);
    std::map<std::string, bool> known;
    for (const ChildUse &use : uses) {
        const core::Place task = core::task_place(entries[use.task]);
        const core::Place workflow = task / "workflow";
        auto [found, is_new] = known.emplace(use.workflow, true);
        if (is_new) found->second = use.workflow == home || current_spec(tenant, use.workflow).has_value();
        if (!found->second)
            findings.warning(core::ProblemCode::unknown_workflow, workflow / "id", "workflow " + core::in_quotes(use.workflow) + " does not exist",
                             "The task would fail.", "Register it before this one is triggered, or check the spelling.");
        if (!use.always || !found->second) continue;
        const std::vector<std::string> way = ring.from(use.workflow);
        if (way.empty()) continue;
        std::string text = home;
        for (const std::string &name : way) text += " -> " + name;
        findings.error(core::ProblemCode::endless_recursion, workflow, "every run of workflow " + core::in_quotes(home) + " would start another one",
                       "The way is " + text + ", with no condition on it.", "Give a task on the way a \"when\" that ends it.");
    }
    for (core::Problem &p : std::move(findings).take()) examined.problems.push_back(std::move(p));
}

}  // namespace orch::engine
