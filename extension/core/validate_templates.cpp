// Templates and conditions: their syntax, where they may stand, and whether what they name exists and has ended by then.

#include "core/validation.hpp"

#include "core/json_path.hpp"
#include "core/template.hpp"

#include <algorithm>

#include "core/last_include.hpp"

namespace orch::core {
namespace {

/// What may be named from where.
struct Scope {
    int32_t task = -1;          // whose setting it is; -1 for `defaults` and the workflow's output
    std::string_view key = {};  // of that task: the one whose value names something
    bool secrets_allowed = false;
};

class TemplateCheck {
public:
    TemplateCheck(Validation &validation, const Edges &edges, const Topology &topology) : validation_(validation), edges_(edges), topology_(topology) {}

    void check_task(int32_t task)
    {
        const TaskEntry &entry = validation_.entries[task];
        if (!entry.body->is_object()) return;
        const Place place = task_place(entry);
        bool is_command = false;
        for (const auto &[key, value] : entry.body->get_ref<const Json::object_t &>()) {
            const auto executor = executor_from(key);
            if (!executor) continue;
            is_command = is_command || *executor == Executor::command;
            if (*executor == Executor::http && value.is_object()) check_http(place / key, value, task);
            else if (takes_templates(*executor)) check_value(place / key, value, {task, key});
        }
        for (const auto &[key, value] : entry.body->get_ref<const Json::object_t &>()) {
            if (key == "input" || key == "params" || key == "fallback") check_value(place / key, value, {task, key});
            if (key == "env") check_value(place / key, value, {task, key, is_command});
            if (key == "settings" && has_template(value))
                validation_.findings.error(ProblemCode::template_not_allowed, place / key, "a template stands in \"settings\"", {},
                                           "Settings are fixed when the definition is registered.");
            if (key == "when") check_condition(place / key, value, task);
        }
        if (validation_.defaults) note_defaults(*entry.body, task);
    }

    // Syntax once; what is named is checked from each task that takes the default.
    void check_defaults(const Json &defaults)
    {
        const Place place = document / "defaults";
        for (const auto &[key, value] : defaults.get_ref<const Json::object_t &>()) {
            if (key == "input" || key == "params" || key == "fallback") check_value(place / key, value, {});
            if (key == "env") check_value(place / key, value, {-1, key, true});
            if (key == "when") check_condition(place / key, value, -1);
        }
    }

    void check_output(const Json &output) { check_value(document / "output", output, {}); }

    void check_order()
    {
        if (topology_.order.size() < edges_.parents.size()) return;  // without an order there are no ancestors
        for (std::size_t i : find_non_ancestors(edges_, topology_, questions_)) {
            const std::string task(validation_.entries[questions_[i].task].id), target(validation_.entries[questions_[i].target].id);
            const Place place = task_place(validation_.entries[questions_[i].task]);
            validation_.findings.error(ProblemCode::template_not_ancestor, keys_[i].empty() ? place : place / keys_[i],
                                       "task " + in_quotes(task, 60) + " uses " + in_quotes(target, 60) + ", which need not have ended when it starts",
                                       in_quotes(target, 60) + " is not among the tasks that it depends on, directly or through others.",
                                       "Add " + in_quotes(target, 60) + " to its dependencies.");
        }
    }

private:
    static bool takes_templates(Executor executor)
    {
        // sql, handler and callable refuse templates where the executor is checked; a shell's text is told from arguments there as well.
        return executor != Executor::sql && executor != Executor::handler && executor != Executor::callable;
    }

    void check_http(const Place &place, const Json &request, int32_t task)
    {
        for (const auto &[key, value] : request.get_ref<const Json::object_t &>())
            check_value(place / key, value, {task, "http", key == "headers" || key == "body"});
    }

    void check_value(const Place &place, const Json &value, const Scope &scope)
    {
        if (value.is_string()) return check_text(place, value.get_ref<const std::string &>(), scope);
        if (value.is_array()) {
            for (std::size_t i = 0; i < value.size(); i++) check_value(place / i, value[i], scope);
        } else if (value.is_object()) {
            for (const auto &[key, element] : value.get_ref<const Json::object_t &>()) {
                if (text_has_template(key))
                    validation_.findings.error(ProblemCode::template_in_key, place / key, "key " + in_quotes(key) + " holds a template",
                                               "Only values are filled in.");
                check_value(place / key, element, scope);
            }
        }
    }

    void check_text(const Place &place, const std::string &text, const Scope &scope)
    {
        if (!text_has_template(text)) return;
        auto parsed = parse_template(text);
        if (const auto *fault = std::get_if<TemplateFault>(&parsed)) {
            validation_.findings.error(ProblemCode::template_syntax, place, "template " + in_quotes(text) + " " + fault->message, {}, fault->hint);
            return;
        }
        for (const TemplatePart &part : std::get<std::vector<TemplatePart>>(parsed)) {
            const auto *expression = std::get_if<TemplateExpression>(&part);
            if (!expression) continue;
            if (expression->is_secret && !scope.secrets_allowed)
                validation_.findings.error(ProblemCode::secret_not_allowed, place, "a secret stands where the engine would have to know it",
                                           "Secrets may stand in the env of a command, in http headers and in an http body; a worker fills them in.");
            if (expression->is_secret) continue;
            for (const TemplateOperand &operand : expression->operands)
                if (!operand.is_literal) check_path(place, operand.text, scope);
        }
    }

    void check_condition(const Place &place, const Json &condition, int32_t task)
    {
        if (!condition.is_string() || condition.get_ref<const std::string &>().empty()) return;
        const std::string &text = condition.get_ref<const std::string &>();
        if (text_has_template(text)) {
            validation_.findings.error(ProblemCode::template_not_allowed, place, "a template stands in \"when\"", "It is a SQL/JSON path predicate by itself.",
                                       "Write it without braces: $.tasks.load.output.row_count > 0.");
            return;
        }
        if (text.find("datetime") != std::string::npos)
            validation_.findings.error(ProblemCode::path_invalid, place, "datetime() stands in \"when\"",
                                       "Its result hangs on the session's time zone, so a replay could decide otherwise.",
                                       "Compare ISO 8601 texts, or decide in a task.");
        check_path(place, text, {task, "when"});
    }

    void check_path(const Place &place, const std::string &path, const Scope &scope)
    {
        const std::size_t before = validation_.findings.count();
        for (const PathReference &reference : references(path)) check_reference(place, path, reference, scope);
        if (validation_.findings.count() > before) return;
        const auto fault = validation_.check_path ? validation_.check_path(path) : light_path_check(path);
        if (fault) validation_.findings.error(ProblemCode::path_invalid, place, "path " + in_quotes(shown(path)) + " is not valid: " + *fault);
    }

    static std::string_view shown(std::string_view path)
    {
        constexpr std::string_view implied = "strict $.";
        return path.substr(0, implied.size()) == implied ? path.substr(implied.size()) : path;
    }

    void check_reference(const Place &place, const std::string &path, const PathReference &reference, const Scope &scope)
    {
        Findings &findings = validation_.findings;
        if (reference.root == "run" || reference.root == "input") return;
        if (reference.root != "tasks") {
            const bool is_item = reference.root == "item" || reference.root == "index";
            findings.error(ProblemCode::template_unknown_name, place,
                           reference.root.empty() ? "path " + in_quotes(shown(path)) + " names the whole document"
                                                  : in_quotes(reference.root, 60) + " is nothing that a path can begin with",
                           is_item ? "item and index exist only in a task with for_each." : "Paths begin with run, input or tasks.");
            return;
        }
        const std::string id = unquoted_id(reference);
        if (!id.empty()) {
            findings.error(ProblemCode::template_quote_id, place, "task id " + in_quotes(id, 60) + " needs quotes in a path",
                           "Without them it is read as an expression.", "Write tasks.\"" + id + "\".output.");
            return;
        }
        const int32_t target = validation_.find(reference.task);
        if (reference.task.empty()) {
            findings.error(ProblemCode::template_unknown_name, place, "path " + in_quotes(shown(path)) + " names all tasks at once", {},
                           "Name the tasks whose output is needed.");
        } else if (target < 0) {
            findings.error(ProblemCode::template_unknown_task, place,
                           "path " + in_quotes(shown(path)) + " names task " + in_quotes(reference.task, 60) + ", which is not defined");
        } else if (scope.task >= 0) {
            ask(scope.task, target, scope.key);
        }
    }

    /// The id that was meant where one that is no plain word stands without quotes, else empty.
    std::string unquoted_id(const PathReference &reference) const
    {
        if (reference.task_is_quoted || reference.task.empty()) return {};
        const bool is_known = validation_.find(reference.task) >= 0;
        if (is_known && !is_plain_word(reference.task)) return reference.task;
        const std::string_view after = reference.after.substr(reference.task.size());
        if (after.empty() || (is_known && std::string_view("-/+:").find(after[0]) == std::string_view::npos)) return {};
        std::size_t length = 0;
        while (length < reference.after.size() && length < longest_id && is_identifier(reference.after.substr(0, length + 1))) length++;
        for (; length > reference.task.size(); length--)
            if (validation_.find(reference.after.substr(0, length)) >= 0) return std::string(reference.after.substr(0, length));
        return {};
    }

    void ask(int32_t task, int32_t target, std::string_view key)
    {
        if (validation_.entries[task].is_finally && !validation_.entries[target].is_finally) return;
        const auto &parents = edges_.parents[task];
        if (std::find(parents.begin(), parents.end(), target) != parents.end()) return;
        if (!questions_.empty() && questions_.back().task == task && questions_.back().target == target) return;
        questions_.push_back({task, target});
        keys_.push_back(key);
    }

    void note_defaults(const Json &body, int32_t task)
    {
        const auto note = [&](const std::string &path) {
            for (const PathReference &reference : references(path))
                if (const int32_t target = reference.root == "tasks" ? validation_.find(reference.task) : -1; target >= 0) ask(task, target, {});
        };
        for (std::string_view key : {"input", "env", "params", "fallback", "when"}) {
            const Json *value = member(*validation_.defaults, key);
            if (!value || member(body, key)) continue;
            for_each_text(*value, [&](const std::string &text) {
                if (key == "when") return note(text);
                for (const std::string &path : template_paths(text)) note(path);
            });
        }
    }

    Validation &validation_;
    const Edges &edges_;
    const Topology &topology_;
    std::vector<AncestorQuestion> questions_;
    std::vector<std::string_view> keys_;  // of each question: the setting that asks, empty for one of `defaults`
};

}  // namespace

void check_templates(Validation &validation, const Edges &edges, const Topology &topology)
{
    TemplateCheck check(validation, edges, topology);
    if (validation.defaults) check.check_defaults(*validation.defaults);
    for (std::size_t i = 0; i < validation.entries.size(); i++) check.check_task(static_cast<int32_t>(i));
    if (const Json *output = member(validation.spec, "output")) check.check_output(*output);
    check.check_order();
}

}  // namespace orch::core
