#include "definition_file.hpp"
#include "session.hpp"
#include "table.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <iostream>
#include <memory>

namespace orch::cli {
namespace {

struct definition_choices {
    std::vector<std::string> files;
    std::string format = "auto";
    std::string if_exists = "version";
    std::string name;
    std::string graph_format = "text";
};

int register_files(session &with, const definition_choices &chosen)
{
    auto all = nlohmann::json::array();
    for (const auto &file : chosen.files) {
        const auto made = with.query("select workflow, version, created from orch.register($1::text, if_exists => $2)",
                                     {definition_in(file, chosen.format), chosen.if_exists});
        const bool created = made.text(0, "created") == "t";
        if (with.as_json) all.push_back({{"workflow", made.text(0, "workflow")}, {"version", std::stoi(made.text(0, "version"))}, {"created", created}});
        else with.write(visible(made.text(0, "workflow")) + " version " + made.text(0, "version") + (created ? "\n" : ", as it was\n"));
    }
    if (with.as_json) with.write(all.dump() + "\n");
    return done;
}

int validate_file(session &with, const definition_choices &chosen)
{
    const auto spec = definition_in(chosen.files.at(0), chosen.format);
    const std::string sql = "select severity, path, code, message, detail, hint from orch.validate($1::text)";
    const auto problems = with.query(sql, {spec});
    bool wrong = false;
    auto all = nlohmann::json::array();
    for (int row = 0; row < problems.size(); ++row) {
        const auto field = [&](const char *name) { return visible(problems.text(row, name)); };
        wrong = wrong || field("severity") == "error";
        if (with.as_json) {
            auto &problem = all.emplace_back(nlohmann::json::object());
            for (const auto *name : {"severity", "path", "code", "message", "detail", "hint"})
                if (const auto value = problems.at(row, name)) problem[name] = *value;
            continue;
        }
        const auto path = field("path");
        with.write(field("severity") + " " + field("code") + " at " + (path.empty() ? "the root" : path) + ": " + field("message") + "\n");
        for (const auto *name : {"detail", "hint"})
            if (const auto text = field(name); !text.empty()) with.write("    " + text + "\n");
    }
    if (with.as_json) with.write(all.dump() + "\n");
    else if (problems.size() == 0) with.write("no problems\n");
    return wrong ? refused : done;
}

}  // namespace

void add_definitions(CLI::App &app, action &chosen)
{
    auto options = std::make_shared<definition_choices>();
    const auto formats = CLI::IsMember({"auto", "json", "yaml"});

    auto *registers = app.add_subcommand("register", "Store definitions; the same text again changes nothing");
    registers->add_option("file", options->files, "JSON or YAML by extension or content; - is standard input")->required();
    registers->add_option("--format", options->format, "how to read the files")->check(formats);
    registers->add_option("--if-exists", options->if_exists, "version: store a new version; error: refuse a name that exists")
        ->check(CLI::IsMember({"version", "error"}));
    registers->callback([&chosen, options] { chosen = [options](session &with) { return register_files(with, *options); }; });

    auto *validates = app.add_subcommand("validate", "Show every problem of a definition, and store nothing");
    validates->add_option("file", options->files, "JSON or YAML; - is standard input")->required()->expected(1);
    validates->add_option("--format", options->format, "how to read the file")->check(formats);
    validates->callback([&chosen, options] { chosen = [options](session &with) { return validate_file(with, *options); }; });

    app.add_subcommand("workflows", "List the workflows")->callback([&chosen] {
        chosen = [](session &with) {
            with.print("select workflow, version, name, owner, paused, created_at from orch.workflows order by workflow", {}, "no workflow is registered");
            return done;
        };
    });

    auto *graph = app.add_subcommand("graph", "Draw a workflow, or a run with its states");
    graph->add_option("workflow", options->name, "a workflow's id or a run's")->required();
    graph->add_option("--format", options->graph_format, "text, mermaid or dot")->check(CLI::IsMember({"text", "mermaid", "dot"}));
    graph->callback([&chosen, options] {
        chosen = [options](session &with) {
            const auto drawn = with.query("select orch.graph($1::text, $2)", {options->name, options->graph_format});
            const std::string text(drawn.at(0, 0).value_or(""));
            if (with.as_json) {
                with.write(nlohmann::json({{"graph", text}}).dump() + "\n");
                return done;
            }
            for (size_t from = 0; from < text.size();) {
                const auto end = std::min(text.find('\n', from), text.size());
                with.write(visible(std::string_view(text).substr(from, end - from)) + "\n");
                from = end + 1;
            }
            return done;
        };
    });
}

}  // namespace orch::cli
