// One task's fields, its executor, and settings that contradict each other.

#include "core/validation.hpp"

#include <algorithm>

#include "core/last_include.hpp"

namespace orch::core {
namespace {

void check_identity(Findings &findings, const Place &place, const TaskEntry &entry)
{
    const Json *id = member(*entry.body, "id");
    if (!entry.is_listed) check_id(findings, place, entry.id);
    if (id == nullptr) {
        if (entry.is_listed)
            findings.error(ProblemCode::missing_key, place, "the task has no \"id\"", {}, "Give it one, or write tasks as an object with ids as keys.");
        return;
    }
    if (!expect(findings, place / "id", *id, id->is_string(), "text")) return;
    const std::string &text = id->get_ref<const std::string &>();
    if (entry.is_listed) check_id(findings, place / "id", text);
    else if (text != entry.id)
        findings.error(ProblemCode::id_mismatch, place / "id", "the task under key " + in_quotes(entry.id, 60) + " says that its id is " + in_quotes(text, 60),
                       {}, "Leave the id out: the key is the id.");
}

void check_rule(Findings &findings, const Place &place, const Json &rule)
{
    if (rule.is_object()) {
        const Json *least = member(rule, "at_least");
        if (rule.size() != 1 || !least) {
            findings.error(ProblemCode::unknown_value, place, "a trigger_rule that is an object has the one key at_least", {}, "Write {\"at_least\": 2}.");
        } else if (expect(findings, place / "at_least", *least, as_integer(*least).has_value(), "a whole number")) {
            if (const auto wanted = *as_integer(*least); wanted < 1 || wanted > 1'000'000)
                findings.error(ProblemCode::out_of_range, place / "at_least", "at_least is " + to_text(*least) + ", outside of 1 to 1000000");
        }
        return;
    }
    if (!expect(findings, place, rule, rule.is_string(), "text or {\"at_least\": n}")) return;
    const std::string &word = rule.get_ref<const std::string &>();
    if (!trigger_rule_from(word))
        findings.error(
            ProblemCode::unknown_value, place, "trigger_rule has no value " + in_quotes(word),
            "Values are all_success, all_failed, all_done, all_skipped, one_success, one_failed, one_done, none_failed, none_failed_min_one_success, "
            "none_skipped, all_done_min_one_success, always and {\"at_least\": n}.");
}

void check_at_least(Findings &findings, const Place &place, const Json &body)
{
    const Json *rule = member(body, "trigger_rule");
    const Json *least = rule ? member(*rule, "at_least") : nullptr;
    const auto wanted = least ? as_integer(*least) : std::nullopt;
    if (!wanted) return;
    const Json *dependencies = member(body, "dependencies");
    const std::size_t count = dependencies && dependencies->is_array() ? dependencies->size() : 0;
    if (*wanted > static_cast<int64_t>(count))
        findings.error(ProblemCode::out_of_range, place / "trigger_rule",
                       "at_least is " + to_text(*least) + ", but the task has " + std::to_string(count) + " dependencies", "It could never run.");
}

void check_settings(Findings &findings, const Place &place, const Json &settings)
{
    if (!settings.is_object()) return;
    for (const auto &[name, value] : settings.get_ref<const Json::object_t &>())
        if (!is_sql_setting(name))
            findings.error(ProblemCode::unknown_value, place / name, "an SQL task cannot set " + in_quotes(name), {},
                           "Settings such as search_path, work_mem, lock_timeout and those of the planner may be set; for a time limit use timeout_seconds.");
}

void check_environment(Findings &findings, const Place &place, const Json &environment)
{
    if (!environment.is_object()) return;
    for (const auto &[name, value] : environment.get_ref<const Json::object_t &>())
        if (name.empty() || name.find('=') != std::string::npos || name.find_first_of(" \t\r\n") != std::string::npos)
            findings.error(ProblemCode::invalid_text, place / name, "environment variable " + in_quotes(name) + " has a name that none can have");
}

// Beside one executor: its attempts must be a worker's, and a circuit without a name is that of its handler.
void check_circuit_use(Findings &findings, const Place &place, const Json &body, const Json *defaults, std::string_view executor)
{
    const Json *circuit = member(body, "circuit");
    if (member(body, "fallback") && !circuit && !(defaults && member(*defaults, "circuit")))
        findings.error(ProblemCode::misplaced_key, place / "fallback", "\"fallback\" stands without \"circuit\"", "It is the output while the circuit is open.",
                       "Name a circuit, or give later tasks a trigger_rule that accepts failure.");
    if (!circuit) return;
    if (executor != "handler" && executor != "command" && executor != "callable" && executor != "http")
        findings.error(ProblemCode::misplaced_key, place / "circuit", "\"circuit\" stands beside " + in_quotes(executor) + ", which no worker runs",
                       "Tasks with a circuit are handler, command, callable and http.");
    else if (circuit->is_object() && !member(*circuit, "name") && executor != "handler")
        findings.error(ProblemCode::missing_key, place / "circuit", "the circuit has no \"name\"", "Only that of a handler is named by itself.");
}

void check_exclusive(Findings &findings, const Place &place, const Json &body)
{
    const Json *backoff = member(body, "retry_backoff");
    if (backoff && *backoff == "fixed" && member(body, "retry_max_delay_seconds"))
        findings.error(ProblemCode::exclusive_settings, place, "\"retry_backoff\": \"fixed\" and \"retry_max_delay_seconds\" exclude each other",
                       "A fixed delay does not grow, so it has nothing to be capped.", "Leave one of them out.");
    const Json *retry_on = member(body, "retry_on"), *no_retry_on = member(body, "no_retry_on");
    if (!retry_on || !no_retry_on || !retry_on->is_array() || !no_retry_on->is_array()) return;
    for (const Json &entry : *retry_on)
        if (std::find(no_retry_on->begin(), no_retry_on->end(), entry) != no_retry_on->end())
            findings.error(ProblemCode::exclusive_settings, place, to_text(entry).substr(0, 100) + " stands in both \"retry_on\" and \"no_retry_on\"", {},
                           "Keep it in one of them.");
}

// What stands in a task and in `defaults` alike.
void check_setting(Findings &findings, const Place &object, std::string_view key, const Json &value)
{
    check_field(findings, object, key, value, task_fields(), executor_words());
    if (key == "trigger_rule") check_rule(findings, object / key, value);
    if (key == "settings") check_settings(findings, object / key, value);
    if (key == "env") check_environment(findings, object / key, value);
    if (key == "circuit") check_circuit(findings, object / key, value);
    if (key == "when") check_line(findings, object / key, value);
}

void check_executors(Findings &findings, const Place &place, const Json &body, const Json *defaults)
{
    std::vector<std::string_view> found;
    for (const auto &[key, value] : body.get_ref<const Json::object_t &>()) {
        const auto executor = executor_from(key);
        if (!executor) continue;
        found.push_back(key);
        check_executor(findings, place / key, *executor, value);
    }
    if (found.empty()) {
        findings.error(ProblemCode::no_executor, place, "the task has nothing to execute",
                       "Executors are handler, command, callable, http, sql, workflow, sleep, until, signal, approval, decision and noop.",
                       "For a task that only joins others write \"noop\": true.");
    } else if (found.size() > 1) {
        std::string names;
        for (std::string_view name : found) names += (names.empty() ? "" : " and ") + in_quotes(name);
        findings.error(ProblemCode::several_executors, place, "the task has several executors: " + names, {},
                       "Keep one, and make tasks of their own of the others.");
        return;
    }
    for (const auto &[key, value] : body.get_ref<const Json::object_t &>()) {
        const Field *field = find_field(task_fields(), key);
        if (field && !field->executor.empty() && !found.empty() && field->executor != found[0])
            findings.error(ProblemCode::misplaced_key, place / key,
                           in_quotes(key) + " stands beside " + in_quotes(found[0]) + ", but only " + std::string(field->executor) + " tasks have it");
    }
    if (!found.empty()) check_circuit_use(findings, place, body, defaults, found[0]);
    const Json *input = member(body, "input");
    if (input && !found.empty() && found[0] == "callable" && !input->is_string())
        expect(findings, place / "input", *input, input->is_object(), "an object of keyword arguments");
}

}  // namespace

void check_circuit(Findings &findings, const Place &place, const Json &circuit)
{
    if (circuit.is_string()) return check_id(findings, place, circuit.get_ref<const std::string &>());
    if (expect(findings, place, circuit, circuit.is_object(), "the name of a circuit, or an object")) check_fields(findings, place, circuit, circuit_fields());
}

void check_task(Validation &validation, const TaskEntry &entry)
{
    Findings &findings = validation.findings;
    const Place place = task_place(entry);
    if (!expect(findings, place, *entry.body, entry.body->is_object(), "an object")) return;
    check_identity(findings, place, entry);
    for (const auto &[key, value] : entry.body->get_ref<const Json::object_t &>())
        if (!executor_from(key)) check_setting(findings, place, key, value);
    check_executors(findings, place, *entry.body, validation.defaults);
    check_at_least(findings, place, *entry.body);
    check_exclusive(findings, place, *entry.body);
}

void check_defaults(Validation &validation, const Json &defaults)
{
    Findings &findings = validation.findings;
    const Place place = document / "defaults";
    if (!expect(findings, place, defaults, defaults.is_object(), "an object")) return;
    validation.defaults = &defaults;
    for (const auto &[key, value] : defaults.get_ref<const Json::object_t &>()) {
        if (key == "id" || key == "name" || key == "dependencies" || executor_from(key))
            findings.error(ProblemCode::misplaced_key, place / key, in_quotes(key) + " cannot be the same for all tasks");
        else check_setting(findings, place, key, value);
    }
    check_exclusive(findings, place, defaults);
}

}  // namespace orch::core
