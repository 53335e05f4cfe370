#include "session.hpp"
#include "table.hpp"

#include <memory>
#include <thread>

namespace orch::cli {
namespace {

struct event_choices {
    std::string run;
    bool follow = false;
    std::optional<int64_t> after;
    int limit = 100;
};

constexpr int page = 1000;

/// Prints the rows and returns the position after them. `ended` is set by an event that ends the followed run.
int64_t print(session &with, const rows &events, int64_t position, bool &ended)
{
    std::string text;
    for (int row = 0; row < events.size(); ++row) {
        const auto field = [&](const char *name) { return visible(events.text(row, name)); };
        if (with.as_json) {
            text += events.text(row, "event") + "\n";
        } else {
            const auto task = field("task_id"), data = field("data");
            auto kind = field("kind");
            kind.resize(std::max<size_t>(kind.size(), 20), ' ');
            text += field("at") + "  " + field("run_id") + "  " + kind + (task.empty() ? "" : "  " + task) + (data.empty() ? "" : "  " + shortened(data, 200)) +
                    "\n";
        }
        const auto kind = events.text(row, "kind");
        ended = kind == "run_succeeded" || kind == "run_failed" || kind == "run_timed_out" || kind == "run_cancelled" || (ended && kind != "run_reopened");
        position = std::max<int64_t>(position, std::stoll(events.text(row, "pos")));
    }
    if (!text.empty()) with.write(text);
    return position;
}

int events(session &with, const event_choices &chosen)
{
    using namespace std::chrono_literals;
    const std::optional<std::string> run = chosen.run.empty() ? std::nullopt : std::optional(chosen.run);
    const std::string columns = "pos, run_id, task_id, kind, at, data, to_json(e)::text as event";
    if (run && with.query("select from orch.runs where run_id = $1", {run}).size() == 0)
        throw error("OR003", "there is no run \"" + chosen.run + "\"", "", "orch runs lists the newest.");
    bool ended = false;
    int64_t position = chosen.after.value_or(0);
    if (!run && !chosen.after) {
        // The newest ones, oldest first, as the start of a feed.
        const auto newest = with.query("select * from (select " + columns + " from orch.events e order by pos desc limit $1) newest order by pos",
                                       {std::to_string(chosen.limit)});
        position = print(with, newest, position, ended);
        if (!chosen.follow) return done;
    }
    bool can_wait = true;
    for (;;) {
        rows next;
        with.persistently([&] {
            next = with.query("select " + columns + " from orch.events_after($1, $2, $3) e", {std::to_string(position), std::to_string(page), run});
        });
        position = print(with, next, position, ended);
        if (next.size() > 0) with.found_news();
        if (next.size() == page) continue;
        if (!chosen.follow || (run && ended)) return done;
        try {
            with.persistently([&] {
                if (!can_wait) return std::this_thread::sleep_for(200ms);
                with.wait_in("call orch.await_events($1, '10 minutes')", {std::to_string(position)});
            });
        } catch (const error &absent) {
            if (absent.code != "42883") throw;
            can_wait = false;
        }
    }
}

}  // namespace

void add_events(CLI::App &app, action &chosen)
{
    auto options = std::make_shared<event_choices>();
    auto *command = app.add_subcommand("events", "Show the history: of one run, or the newest of all");
    command->add_option("--run", options->run, "only of this run; --follow then ends with it");
    command->add_flag("--follow", options->follow, "go on with what happens");
    command->add_option("--after", options->after, "begin behind this position of the feed");
    command->add_option("--limit", options->limit, "how many of the newest")->check(CLI::Range(1, 100000));
    command->callback([&chosen, options] { chosen = [options](session &with) { return events(with, *options); }; });
}

}  // namespace orch::cli
