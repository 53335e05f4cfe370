// The documents against the code: every problem code explained, the schema's words and limits those of the grammar.

#include "core/grammar.hpp"
#include "core/retry_policy.hpp"
#include "support.hpp"

#include <algorithm>
#include <set>

using namespace orch::core;

namespace {

std::string document(const std::string &name) { return file_text(std::string(ORCH_DOCS) + "/" + name); }

const Json &schema()
{
    static const Json parsed = json(document("definition.schema.json"));
    return parsed;
}

std::set<std::string> keys_of(const Json &properties)
{
    std::set<std::string> keys;
    for (const auto &entry : properties.items())
        if (entry.key() != "comment") keys.insert(entry.key());
    return keys;
}

std::set<std::string> names_of(std::span<const Field> fields)
{
    std::set<std::string> names;
    for (const Field &field : fields) names.emplace(field.name);
    return names;
}

/// What `properties` says of a field, with a reference followed.
const Json &property(const Json &properties, std::string_view name)
{
    const Json &found = properties.at(std::string(name));
    if (!found.contains("$ref")) return found;
    const std::string reference = found.at("$ref").get<std::string>();
    return schema().at("definitions").at(reference.substr(reference.rfind('/') + 1));
}

void compare_limits(const Json &properties, std::span<const Field> fields)
{
    for (const Field &field : fields) {
        const Json &described = property(properties, field.name);
        if (field.shape == Shape::integer || field.shape == Shape::number) {
            EXPECT_EQ(described.at("minimum").get<double>(), field.least) << field.name;
            EXPECT_EQ(described.at("maximum").get<double>(), field.most) << field.name;
        }
        if (field.shape == Shape::choice) {
            std::string choices;
            for (const Json &choice : described.at("enum")) choices += (choices.empty() ? "" : " ") + choice.get<std::string>();
            EXPECT_EQ(choices, field.choices) << field.name;
        }
        EXPECT_EQ(field.shape == Shape::not_yet, described.value("description", "").find("not_supported_yet") != std::string::npos) << field.name;
    }
}

}  // namespace

TEST(documents, errors_explain_every_problem_code_and_no_other)
{
    const std::string text = document("errors.md");
    for (std::size_t i = 0; i < problem_code_count; i++) {
        const std::string name(code_name(static_cast<ProblemCode>(i)));
        EXPECT_NE(text.find("\n| " + name + " |"), std::string::npos) << name;
    }
    std::size_t rows = 0;
    std::istringstream lines(text.substr(text.find("## Problems of a definition")));
    for (std::string line; std::getline(lines, line);) rows += line.substr(0, 2) == "| " && line.substr(0, 6) != "| code";
    EXPECT_EQ(rows, problem_code_count);
}

TEST(documents, errors_name_the_class_of_each_task_error)
{
    const std::string text = document("errors.md");
    for (int i = 0; i <= static_cast<int>(ErrorClass::unknown); i++) {
        const auto error_class = static_cast<ErrorClass>(i);
        const auto row = text.find("\n| " + std::string(error_class_name(error_class)) + " |");
        ASSERT_NE(row, std::string::npos) << error_class_name(error_class);
        const std::string line = text.substr(row + 1, text.find('\n', row + 1) - row - 1);
        EXPECT_NE(line.find(retried_by_default(error_class) ? "| yes |" : "| no |"), std::string::npos) << line;
    }
}

TEST(documents, the_schema_has_the_grammars_words)
{
    EXPECT_EQ(keys_of(schema().at("properties")), names_of(workflow_fields()));
    std::set<std::string> task = names_of(task_fields());
    for (std::string_view executor : executor_words()) task.emplace(executor);
    const Json &properties = schema().at("definitions").at("task").at("properties");
    EXPECT_EQ(keys_of(properties), task);
    EXPECT_EQ(keys_of(properties.at("http").at("properties")), names_of(http_fields()));
    EXPECT_EQ(keys_of(properties.at("decision").at("properties")), names_of(decision_fields()));
    EXPECT_EQ(keys_of(properties.at("signal").at("properties")), names_of(signal_fields()));
    EXPECT_EQ(keys_of(properties.at("approval").at("properties")), names_of(approval_fields()));
    EXPECT_EQ(keys_of(properties.at("workflow").at("properties")), names_of(child_fields()));
    EXPECT_EQ(keys_of(property(properties, "circuit").at("anyOf").at(1).at("properties")), names_of(circuit_fields()));
    std::set<std::string> defaults = names_of(task_fields());
    for (const char *key : {"id", "name", "dependencies"}) defaults.erase(key);
    EXPECT_EQ(keys_of(schema().at("properties").at("defaults").at("properties")), defaults);
}

TEST(documents, the_schema_has_the_grammars_limits_and_choices)
{
    const Json &properties = schema().at("definitions").at("task").at("properties");
    compare_limits(schema().at("properties"), workflow_fields());
    compare_limits(properties, task_fields());
    compare_limits(properties.at("decision").at("properties"), decision_fields());
    compare_limits(properties.at("signal").at("properties"), signal_fields());
    compare_limits(properties.at("approval").at("properties"), approval_fields());
    compare_limits(properties.at("workflow").at("properties"), child_fields());
    compare_limits(property(properties, "circuit").at("anyOf").at(1).at("properties"), circuit_fields());
}

TEST(documents, the_schema_lists_every_trigger_rule)
{
    std::vector<std::string> words;
    for (int rule = 0; rule < static_cast<int>(TriggerRule::at_least); rule++) words.emplace_back(trigger_rule_name(static_cast<TriggerRule>(rule)));
    EXPECT_EQ(property(schema().at("definitions").at("task").at("properties"), "trigger_rule").at("anyOf").at(0).at("enum").get<std::vector<std::string>>(),
              words);
}
