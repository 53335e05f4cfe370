#include "core/plan.hpp"

#include "core/definition.hpp"
#include "core/json_path.hpp"
#include "core/template.hpp"
#include "core/topology.hpp"

#include <algorithm>

#include "core/last_include.hpp"

namespace orch::core {
namespace {

constexpr double http_timeout_seconds = 10, llm_timeout_seconds = 120;

std::string text_or(const Json *value, std::string_view otherwise) { return value && value->is_string() ? value->get<std::string>() : std::string(otherwise); }

double number_or(const Json *value, double otherwise) { return value && value->is_number() ? value->get<double>() : otherwise; }

int integer_or(const Json *value, int otherwise)
{
    const auto number = value ? as_integer(*value) : std::nullopt;
    return number ? static_cast<int>(*number) : otherwise;
}

/// A task's own settings over those of `defaults`.
struct Settings {
    const Json &own;
    const Json *defaults;

    const Json *find(std::string_view key) const
    {
        if (const Json *value = member(own, key)) return value;
        return defaults ? member(*defaults, key) : nullptr;
    }
    Json copy(std::string_view key) const
    {
        const Json *value = find(key);
        return value ? *value : Json(nullptr);
    }
};

std::vector<std::string> error_list(const Json *list)
{
    std::vector<std::string> entries;
    if (list == nullptr || !list->is_array()) return entries;
    for (const Json &entry : *list) entries.push_back(entry.is_string() ? entry.get<std::string>() : std::to_string(as_integer(entry).value_or(0)));
    return entries;
}

RetryPolicy retry_policy(const Settings &settings)
{
    RetryPolicy policy;
    policy.max_attempts = 1 + integer_or(settings.find("retries"), policy.max_attempts - 1);
    policy.delay_seconds = number_or(settings.find("retry_delay_seconds"), policy.delay_seconds);
    policy.exponential = text_or(settings.find("retry_backoff"), "exponential") == "exponential";
    // The default cap must not shorten a delay that somebody asked for.
    policy.max_delay_seconds = number_or(settings.find("retry_max_delay_seconds"), std::max(policy.max_delay_seconds, policy.delay_seconds));
    policy.jitter = number_or(settings.find("retry_jitter"), policy.jitter);
    policy.max_elapsed_seconds = number_or(settings.find("retry_max_elapsed_seconds"), policy.max_elapsed_seconds);
    policy.retry_on = error_list(settings.find("retry_on"));
    policy.no_retry_on = error_list(settings.find("no_retry_on"));
    return policy;
}

void set_circuit(PlannedTask &task, const Settings &settings)
{
    const Json *circuit = settings.find("circuit");
    // One in `defaults` is for the tasks that workers run.
    const bool by_worker =
        task.executor == Executor::handler || task.executor == Executor::command || task.executor == Executor::callable || task.executor == Executor::http;
    if (circuit == nullptr || !by_worker) return;
    const std::string by_itself = task.executor == Executor::handler ? task.handler : "";
    task.circuit = circuit->is_string() ? circuit->get<std::string>() : text_or(member(*circuit, "name"), by_itself);
    if (task.circuit.empty()) return;
    CircuitPolicy &policy = task.circuit_policy;
    policy.failures = integer_or(member(*circuit, "failures"), policy.failures);
    policy.successes = integer_or(member(*circuit, "successes"), policy.successes);
    policy.open_us = static_cast<int64_t>(number_or(member(*circuit, "open_seconds"), static_cast<double>(policy.open_us) / 1e6) * 1e6);
    if (const Json *fallback = settings.find("fallback")) {
        task.has_fallback = true;
        task.fallback = *fallback;
    }
}

double default_timeout(const PlannedTask &task)
{
    if (task.executor != Executor::http) return 0;
    return member(task.definition, "llm") ? llm_timeout_seconds : http_timeout_seconds;
}

std::string route_handler(const PlannedTask &task)
{
    if (task.executor == Executor::handler) return text_or(&task.definition, "");
    if (runs_in_engine(task.executor) || task.executor == Executor::step) return {};
    if (task.executor == Executor::code)
        return ":code/" + text_or(member(task.definition, "workflow"), "") + '@' + text_or(member(task.definition, "version"), "");
    return ":" + std::string(executor_name(task.executor));
}

void set_rule(PlannedTask &task, const Json *rule)
{
    if (rule == nullptr) return;
    if (const Json *least = member(*rule, "at_least")) {
        task.rule = TriggerRule::at_least;
        task.at_least = integer_or(least, 1);
    } else {
        task.rule = trigger_rule_from(text_or(rule, "")).value_or(TriggerRule::all_success);
    }
}

void note_references(const Plan &plan, PlannedTask &task, std::string_view jsonpath)
{
    for (const PathReference &reference : references(jsonpath)) {
        if (reference.root == "input") task.references_input = true;
        if (reference.root == "run") task.references_run = true;
        if (reference.root != "tasks") continue;
        if (const int32_t named = plan.find(reference.task); named >= 0) task.referenced.push_back(named);
    }
}

void note_templates(const Plan &plan, PlannedTask &task)
{
    for (const Json *value : {&task.definition, &task.input, &task.env, &task.params, &task.fallback}) {
        for_each_text(*value, [&](const std::string &text) {
            if (!text_has_template(text)) return;
            task.has_templates = true;
            for (const std::string &path : template_paths(text)) note_references(plan, task, path);
        });
    }
    if (!task.when.empty()) note_references(plan, task, task.when);
    std::sort(task.referenced.begin(), task.referenced.end());
    task.referenced.erase(std::unique(task.referenced.begin(), task.referenced.end()), task.referenced.end());
}

PlannedTask plan_task(const TaskEntry &entry, const Settings &settings, const std::string &queue)
{
    PlannedTask task;
    task.id = entry.id;
    task.name = text_or(member(*entry.body, "name"), "");
    task.is_finally = entry.is_finally;
    for (const auto &[key, value] : entry.body->get_ref<const Json::object_t &>()) {
        if (const auto executor = executor_from(key)) {
            task.executor = *executor;
            task.definition = value;
        }
    }
    task.handler = route_handler(task);
    task.queue = text_or(settings.find("queue"), queue);
    task.priority = integer_or(settings.find("priority"), 0);
    set_rule(task, settings.find("trigger_rule"));
    task.when = text_or(settings.find("when"), "");
    task.input = settings.copy("input");
    task.env = settings.copy("env");
    task.params = settings.copy("params");
    task.metadata = settings.copy("metadata");
    task.settings = settings.copy("settings");
    task.retry = retry_policy(settings);
    if (has_one_attempt(task.executor)) task.retry.max_attempts = 1;
    task.timeout_seconds = number_or(settings.find("timeout_seconds"), default_timeout(task));
    if (const Json *own = member(task.definition, "timeout_seconds"); own && (task.executor == Executor::signal || task.executor == Executor::approval))
        task.timeout_seconds = number_or(own, task.timeout_seconds);
    set_circuit(task, settings);
    return task;
}

void set_levels(Plan &plan, const Topology &topology)
{
    plan.order.assign(topology.order.begin(), topology.order.end());
    int32_t deepest = 0;
    for (int32_t i = 0; i < plan.main_count; i++) deepest = std::max(deepest, topology.level[i]);
    for (std::size_t i = 0; i < plan.tasks.size(); i++) plan.tasks[i].level = topology.level[i] + (plan.tasks[i].is_finally ? deepest + 1 : 0);
    std::stable_partition(plan.order.begin(), plan.order.end(), [&](int32_t task) { return task < plan.main_count; });
}

bool find_chain(const Plan &plan)
{
    int roots = 0;
    for (const PlannedTask &task : plan.tasks) {
        if (task.parents.empty()) roots++;
        if (task.is_finally || task.parents.size() > 1 || task.children.size() > 1) return false;
    }
    return roots == 1;
}

}  // namespace

int32_t Plan::find(std::string_view id) const
{
    const auto found = by_id.find(id);
    return found == by_id.end() ? -1 : found->second;
}

Plan compile(const Json &spec)
{
    Plan plan;
    plan.id = text_or(member(spec, "id"), "");
    plan.name = text_or(member(spec, "name"), "");
    plan.fail_fast = text_or(member(spec, "on_failure"), "fail_fast") == "fail_fast";
    plan.timeout_seconds = number_or(member(spec, "timeout_seconds"), 0);
    plan.max_active_runs = integer_or(member(spec, "max_active_runs"), 0);
    plan.reject_when_full = text_or(member(spec, "when_full"), "queue") == "reject";
    plan.priority = integer_or(member(spec, "priority"), 0);
    if (const Json *output = member(spec, "output")) plan.output = *output;

    const std::string queue = text_or(member(spec, "queue"), "default");
    const Json *defaults = member(spec, "defaults");
    const auto entries = task_entries(spec);
    plan.tasks.reserve(entries.size());
    plan.by_id.reserve(entries.size());
    for (const TaskEntry &entry : entries) {
        plan.tasks.push_back(plan_task(entry, Settings{*entry.body, defaults}, queue));
        plan.by_id.emplace(plan.tasks.back().id, static_cast<int32_t>(plan.tasks.size() - 1));
        if (!entry.is_finally) plan.main_count++;
    }

    Edges edges(entries.size());
    for (std::size_t i = 0; i < entries.size(); i++) {
        if (const Json *dependencies = member(*entries[i].body, "dependencies"))
            for (const Json &id : *dependencies) edges.add(plan.find(id.get_ref<const std::string &>()), static_cast<int32_t>(i));
    }
    const Topology topology = sort(edges);
    for (std::size_t i = 0; i < plan.tasks.size(); i++) {
        plan.tasks[i].parents = std::move(edges.parents[i]);
        plan.tasks[i].children = std::move(edges.children[i]);
        std::sort(plan.tasks[i].parents.begin(), plan.tasks[i].parents.end());
        if (plan.tasks[i].parents.size() > 1) plan.tasks[i].join_no = plan.join_count++;
    }
    for (PlannedTask &task : plan.tasks) note_templates(plan, task);
    set_levels(plan, topology);
    plan.is_chain = find_chain(plan);
    return plan;
}

PlannedTask compile_step(const Json &item, const std::string &queue)
{
    const Json *id = member(item, "id");
    PlannedTask task = plan_task({id ? id->get_ref<const std::string &>() : std::string_view(), &item, false, false, 0}, Settings{item, nullptr}, queue);
    if (member(item, "step")) task.executor = Executor::step;
    return task;
}

std::vector<int32_t> critical_path(const Plan &plan)
{
    std::vector<int32_t> path;
    int32_t wanted = 0;
    for (const PlannedTask &task : plan.tasks) wanted = std::max(wanted, task.level);
    const auto at_level = [&](int32_t task) { return plan.tasks[task].level == wanted; };
    // The first finally task of a path has no parents in the plan: what runs before it is the deepest main task.
    for (const std::vector<int32_t> *choices = &plan.order; wanted >= 0; wanted--) {
        auto found = std::find_if(choices->begin(), choices->end(), at_level);
        if (found == choices->end()) found = std::find_if(plan.order.begin(), plan.order.end(), at_level);
        path.push_back(*found);
        choices = &plan.tasks[*found].parents;
    }
    std::reverse(path.begin(), path.end());
    return path;
}

}  // namespace orch::core
