// The executor's own value. Templates are another pass, but for shell text, which only the argument list tells from data.

#include "core/validation.hpp"

#include "core/template.hpp"

#include <algorithm>

#include "core/last_include.hpp"

namespace orch::core {
namespace {

constexpr std::string_view shell_hint = "Pass the value in env and use it as \"$NAME\", or as an argument of its own behind the script.";

bool is_shell(std::string_view argument)
{
    constexpr std::string_view shells[] = {"sh", "bash", "dash", "zsh", "ksh", "mksh", "ash", "fish", "csh", "tcsh"};
    const auto slash = argument.rfind('/');
    if (slash != std::string_view::npos) argument.remove_prefix(slash + 1);
    return std::find(std::begin(shells), std::end(shells), argument) != std::end(shells);
}

// `sh -c TEXT`, also as -ec, behind env or sudo, and with options between: from the option on, all up to and with the first argument that is no option.
// Taking one too many for shell text refuses a template; taking one too few would run it.
void check_shell_arguments(Findings &findings, const Place &place, const Json &arguments)
{
    bool in_shell = false, expects_text = false;
    for (std::size_t i = 0; i < arguments.size(); i++) {
        if (!arguments[i].is_string()) continue;
        const std::string &argument = arguments[i].get_ref<const std::string &>();
        const bool is_option = argument.size() > 1 && (argument[0] == '-' || argument[0] == '+');
        if (expects_text && text_has_template(argument))
            findings.error(ProblemCode::template_in_shell, place / i, "a template stands in shell text", "What it brings would run as part of the script.",
                           std::string(shell_hint));
        if (expects_text && !is_option) return;
        if (is_shell(argument)) in_shell = true;
        if (in_shell && is_option && argument[1] != '-' && argument.find('c') != std::string::npos) expects_text = true;
        if (argument.substr(0, 10) == "--command=" && in_shell && text_has_template(argument))
            findings.error(ProblemCode::template_in_shell, place / i, "a template stands in shell text", {}, std::string(shell_hint));
    }
}

void check_command(Findings &findings, const Place &place, const Json &command)
{
    if (command.is_string()) {
        const std::string &text = command.get_ref<const std::string &>();
        if (text.empty()) findings.error(ProblemCode::invalid_text, place, "the command is empty");
        if (text_has_template(text))
            findings.error(ProblemCode::template_in_shell, place, "a template stands in shell text", "What it brings would run as part of the script.",
                           std::string(shell_hint));
        return;
    }
    if (!expect(findings, place, command, command.is_array(), "text or a list of arguments")) return;
    if (command.empty()) findings.error(ProblemCode::out_of_range, place, "the list of arguments is empty", {}, "Its first element is the program.");
    for (std::size_t i = 0; i < command.size(); i++) {
        if (expect(findings, place / i, command[i], command[i].is_string(), "text") && i == 0 && command[i].get_ref<const std::string &>().empty())
            findings.error(ProblemCode::invalid_text, place / i, "the program is empty");
    }
    check_shell_arguments(findings, place, command);
}

void check_handler(Findings &findings, const Place &place, const Json &name)
{
    const std::size_t before = findings.count();
    check_line(findings, place, name);
    if (findings.count() > before) return;
    const std::string &text = name.get_ref<const std::string &>();
    if (text[0] == ':')
        findings.error(ProblemCode::invalid_id, place, "handler " + in_quotes(text) + " begins with a colon",
                       "Such names are those of the engine's own executors.");
    if (text.size() > longest_id)
        findings.error(ProblemCode::invalid_id, place, "handler " + in_quotes(text, 60) + " is longer than " + std::to_string(longest_id) + " bytes");
    if (text_has_template(text))
        findings.error(ProblemCode::template_not_allowed, place, "a handler's name cannot be a template", "It decides which worker gets the task.");
}

void check_callable(Findings &findings, const Place &place, const Json &callable)
{
    if (!expect(findings, place, callable, callable.is_string(), "text")) return;
    const std::string &text = callable.get_ref<const std::string &>();
    const auto colon = text.find(':');
    const auto is_dotted = [](std::string_view name) {
        return !name.empty() && name.front() != '.' && name.back() != '.' && name.find("..") == std::string_view::npos &&
               std::all_of(name.begin(), name.end(), [](char c) {
                   return c == '_' || c == '.' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                          static_cast<unsigned char>(c) >= 0x80;
               });
    };
    if (colon == std::string::npos || !is_dotted(std::string_view(text).substr(0, colon)) || !is_dotted(std::string_view(text).substr(colon + 1)))
        findings.error(ProblemCode::unknown_value, place, "callable " + in_quotes(text) + " is not of the form module:function", {},
                       "Write it as package.module:function.");
}

void check_decision(Findings &findings, const Place &place, const Json &decision)
{
    if (!expect(findings, place, decision, decision.is_object(), "an object")) return;
    check_fields(findings, place, decision, decision_fields());
    for (const char *key : {"left", "op", "right"})
        if (!member(decision, key)) findings.error(ProblemCode::missing_key, place, "decision has no " + in_quotes(key));
}

void check_sleep(Findings &findings, const Place &place, const Json &time)
{
    if (time.is_string()) return check_line(findings, place, time);
    if (!expect(findings, place, time, time.is_number(), "a number of seconds or an interval")) return;
    if (const double seconds = time.get<double>(); seconds < 0 || seconds > longest_seconds)
        findings.error(ProblemCode::out_of_range, place, "sleep is " + to_text(time) + ", outside of 0 to 315360000 seconds");
}

void check_signal(Findings &findings, const Place &place, const Json &signal)
{
    if (!expect(findings, place, signal, signal.is_object(), "an object")) return;
    check_fields(findings, place, signal, signal_fields());
    if (!member(signal, "name")) findings.error(ProblemCode::missing_key, place, "signal has no \"name\"");
}

void check_approval(Findings &findings, const Place &place, const Json &approval)
{
    if (!expect(findings, place, approval, approval.is_object(), "an object")) return;
    check_fields(findings, place, approval, approval_fields());
    const Json *roles = member(approval, "roles");
    if (!roles || !roles->is_array()) return;
    if (roles->empty())
        findings.error(ProblemCode::out_of_range, place / "roles", "the list of roles is empty", "Nobody could approve.",
                       "Leave it out for any member of orch_operator.");
    for (std::size_t i = 0; i < roles->size(); i++)
        if (expect(findings, place / "roles" / i, (*roles)[i], (*roles)[i].is_string(), "text")) check_line(findings, place / "roles" / i, (*roles)[i]);
}

void check_child(Findings &findings, const Place &place, const Json &child)
{
    if (!expect(findings, place, child, child.is_object(), "an object")) return;
    check_fields(findings, place, child, child_fields());
    if (const Json *wait = member(child, "wait")) expect(findings, place / "wait", *wait, wait->is_boolean(), "true or false");
    const Json *id = member(child, "id");
    if (!id) return findings.error(ProblemCode::missing_key, place, "workflow has no \"id\"", {}, "It names the workflow that a run is started of.");
    if (id->is_string() && !text_has_template(id->get_ref<const std::string &>())) check_id(findings, place / "id", id->get_ref<const std::string &>());
}

}  // namespace

void check_executor(Findings &findings, const Place &place, Executor executor, const Json &definition)
{
    switch (executor) {
    case Executor::handler: return check_handler(findings, place, definition);
    case Executor::command: return check_command(findings, place, definition);
    case Executor::callable: return check_callable(findings, place, definition);
    case Executor::http: return check_request(findings, place, definition);
    case Executor::sql:
        if (!expect(findings, place, definition, definition.is_string(), "text")) return;
        if (definition.get_ref<const std::string &>().find_first_not_of(" \t\r\n;") == std::string::npos)
            findings.error(ProblemCode::invalid_text, place, "the statement is empty");
        if (has_template(definition))
            findings.error(ProblemCode::template_in_sql, place, "a template stands in SQL text", "What it brings would run as part of the statement.",
                           "Write $1 in the statement and the template into params.");
        return;
    case Executor::sleep: return check_sleep(findings, place, definition);
    case Executor::until: return check_line(findings, place, definition);
    case Executor::decision: return check_decision(findings, place, definition);
    case Executor::noop: expect(findings, place, definition, definition.is_boolean() && definition.get<bool>(), "true"); return;
    case Executor::workflow: return check_child(findings, place, definition);
    case Executor::signal: return check_signal(findings, place, definition);
    case Executor::approval: return check_approval(findings, place, definition);
    case Executor::code:
    case Executor::step:
        findings.error(ProblemCode::misplaced_key, place, "a definition cannot have code", "The tasks of a workflow in code come from its worker.",
                       "Register it with orch.register_code.");
        return;
    }
}

}  // namespace orch::core
