#include "duration.hpp"
#include "session.hpp"
#include "table.hpp"
#include "terminal.hpp"

#include <memory>
#include <sstream>
#include <thread>

namespace orch::cli {
namespace {

struct top_choices {
    std::string interval = "2s";
    bool once = false;
};

struct part {
    const char *name, *sql;
};

// Bounded each: a screen has so many lines.
constexpr part parts[] = {
    {"health", "select \"check\", status, detail from orch.health where status <> 'ok' order by status, \"check\" limit 8"},
    {"queues", "select queue, ready, running, waiting, workers, oldest_ready_at from orch.queues order by ready + running desc, queue limit 10"},
    {"workers", "select worker, state, running, array_to_string(queues, ',') as queues, last_seen_at::timestamptz(0) as last_seen from orch.workers where "
                "state <> 'stopped' "
                "order by running desc, worker limit 10"},
    {"runs", "select run_id, workflow, state, (now() - started_at)::interval(0) as age from orch.runs where state not in ('succeeded', 'failed', 'timed_out', "
             "'cancelled') "
             "order by run_id desc limit 10"},
};

std::string part_text(session &with, const part &one)
{
    const auto found = with.query(one.sql);
    std::vector<std::string> headings;
    std::vector<std::vector<std::string>> lines;
    for (int column = 0; column < found.columns(); ++column) headings.emplace_back(found.name(column));
    for (int row = 0; row < found.size(); ++row) {
        auto &line = lines.emplace_back();
        for (int column = 0; column < found.columns(); ++column) line.push_back(visible(found.at(row, column).value_or("")));
    }
    if (lines.empty()) return std::string(one.name) + ": " + (std::string_view(one.name) == "health" ? "all is well" : "none") + "\n\n";
    return table(headings, lines) + "\n";
}

int top(session &with, const top_choices &chosen)
{
    terminal screen;
    const auto interval = std::max(duration(chosen.interval), std::chrono::milliseconds(100));
    for (;;) {
        if (with.as_json) {
            std::string object;
            for (const auto &one : parts) {
                with.persistently([&] {
                    const auto all = with.query("select coalesce(json_agg(to_json(r)), '[]')::text as all from (" + std::string(one.sql) + ") r");
                    object += std::string(object.empty() ? "{" : ",") + "\"" + one.name + "\":" + all.text(0, "all");
                });
            }
            with.write(object + "}\n");
        } else {
            std::string text = with.query("select 'orch ' || current_database() || ' at ' || now()::timestamptz(0) as heading").text(0, "heading") + "\n\n";
            for (const auto &one : parts) with.persistently([&] { text += part_text(with, one); });
            if (!screen.is_there()) {
                with.write(text);
            } else {
                std::vector<tree_line> lines;
                std::istringstream stream(text);
                for (std::string line; std::getline(stream, line);) lines.push_back({shortened(line, screen.width() - 1), 0, 0, colour::none, true});
                if (lines.size() > screen.height() - 1) lines.resize(screen.height() - 1);
                screen.redraw(lines);
            }
        }
        if (chosen.once || (!screen.is_there() && !with.as_json)) return done;
        if (with.as_json && !screen.is_there()) return done;
        std::this_thread::sleep_for(interval);
    }
}

}  // namespace

void add_top(CLI::App &app, action &chosen)
{
    auto options = std::make_shared<top_choices>();
    auto *command = app.add_subcommand("top", "Show health, queues, workers and open runs, again and again on a terminal, once in a pipe");
    command->add_option("--interval", options->interval, "between two looks [2s]")->check(is_duration());
    command->add_flag("--once", options->once, "one look");
    command->callback([&chosen, options] { chosen = [options](session &with) { return top(with, *options); }; });
}

}  // namespace orch::cli
