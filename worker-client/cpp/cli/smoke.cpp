#include "duration.hpp"
#include "session.hpp"
#include "table.hpp"

#include "orch/worker.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <iostream>
#include <memory>
#include <thread>

namespace orch::cli {
namespace {

struct smoke_choices {
    std::string url, timeout = "30s";
};

// The same text each time, so that it is one version for ever.
constexpr const char *definition = R"({"id": "orch-smoke", "description": "What orch smoke runs.", "queue": "orch-smoke", "timeout_seconds": 300, "tasks": {
    "engine": {"decision": {"left": "{{ input.n }}", "op": ">", "right": 0}},
    "worker": {"handler": "orch-smoke", "input": {"n": "{{ input.n }}"}, "dependencies": ["engine"]},
    "command": {"command": ["printf", "%s", "{{ tasks.worker.output.n }}"], "dependencies": ["worker"]}},
    "output": "{{ tasks.command.output.stdout }}"})";

/// Steps, each with its time and its result; the first that fails ends it.
class report {
public:
    explicit report(session &with) : with_(with) {}

    template <class Step>
    void step(const std::string &name, const Step &step)
    {
        const auto begun = std::chrono::steady_clock::now();
        std::string detail;
        std::exception_ptr failure;
        try {
            detail = step();
        } catch (const std::exception &broken) {
            detail = broken.what();
            failure = std::current_exception();
        }
        const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun).count();
        all_.push_back({{"check", name}, {"ok", !failure}, {"milliseconds", took}, {"detail", detail}});
        if (!with_.as_json)
            with_.write((failure ? "✗ " : "✓ ") + name + "  " + std::to_string(took) + " ms" + (detail.empty() ? "" : "  " + visible(detail)) + "\n");
        if (!failure) return;
        end();
        std::rethrow_exception(failure);
    }
    void end()
    {
        if (with_.as_json) with_.write(all_.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
    }

private:
    session &with_;
    nlohmann::ordered_json all_ = nlohmann::ordered_json::array();
};

int smoke(session &with, const smoke_choices &chosen)
{
    if (!chosen.url.empty()) with.database = chosen.url;
    const auto limit = duration(chosen.timeout);
    report checks(with);
    checks.step("the database answers", [&] { return with.query("select 'PostgreSQL ' || current_setting('server_version') as version").text(0, "version"); });
    checks.step("the extension is here", [&] {
        const auto found = with.query("select extversion from pg_extension where extname = 'orch'");
        if (found.size() == 0) throw error("42704", "the extension orch is not in this database", "", "create extension orch");
        return "orch " + found.text(0, "extversion");
    });
    checks.step("its health", [&] {
        std::string worse;
        const auto found = with.query("select \"check\", status, detail from orch.health where status <> 'ok' order by 1");
        for (int row = 0; row < found.size(); ++row)
            worse += (row > 0 ? "; " : "") + found.text(row, "check") + " is " + found.text(row, "status") + ": " + found.text(row, "detail");
        return worse.empty() ? std::string("all is well") : worse;
    });
    checks.step("a definition is registered",
                [&] { return "version " + with.query("select version from orch.register($1::text)", {definition}).text(0, "version"); });

    worker_options options{.database = with.database, .queues = {"orch-smoke"}, .concurrency = 2};
    options.start_timeout = limit;
    if (with.through_pooler) options.pooled = true;
    orch::worker worker(std::move(options));
    worker.handler("orch-smoke", noop_handler);
    std::string ended_by;
    std::jthread works([&] {
        try {
            worker.run();
        } catch (const std::exception &broken) {
            ended_by = broken.what();
        }
    });
    try {
        std::string run;
        checks.step("a run is triggered", [&] { return run = with.query("select orch.trigger('orch-smoke', '{\"n\": 7}') as run").text(0, "run"); });
        checks.step("engine, worker and command do their tasks", [&] {
            const auto end = std::chrono::steady_clock::now() + limit;
            rows ended;
            std::string state;
            do {
                with.wait_in("call orch.await_run($1, $2::interval)", {run, std::to_string(limit.count()) + " ms"}, limit);
                ended = with.query("select state, output #>> '{}' as output from orch.runs where run_id = $1", {run});
                state = ended.text(0, "state");
            } while (!final_state(state) && std::chrono::steady_clock::now() < end);
            if (state == "succeeded" && ended.text(0, "output") == "7") return std::string("succeeded");
            std::string why = "the run is " + state + (ended_by.empty() ? "" : ", the worker ended: " + ended_by);
            const auto reasons = with.query("select task_id || ' ' || reason as reason from orch.why($1)", {run});
            for (int row = 0; row < reasons.size(); ++row) why += "; " + reasons.text(row, "reason");
            throw error(state == "running" ? "57014" : "OR020", why);
        });
        checks.step("its history tells the same", [&] {
            const auto other = with.query("select coalesce(string_agg(r.task_id || ' ' || r.state || ' against ' || t.state, ', '), '') as differences "
                                          "from orch.replay($1) r join orch.tasks t on t.run_id = $1 and t.task_id = r.task_id where t.state <> r.state",
                                          {run})
                                   .text(0, "differences");
            if (!other.empty()) throw error("XX000", "the history differs from the tables: " + other);
            return with.query("select count(*) || ' events' as n from orch.events where run_id = $1", {run}).text(0, "n");
        });
    } catch (...) {
        worker.stop();
        worker.stop();
        throw;
    }
    worker.stop();
    checks.end();
    return done;
}

}  // namespace

void add_smoke(CLI::App &app, action &chosen)
{
    auto options = std::make_shared<smoke_choices>();
    auto *command = app.add_subcommand("smoke", "Check a deployment from end to end: register, trigger, run on a worker of its own, compare the history");
    command->add_option("url", options->url, "the database; without it --database");
    command->add_option("--timeout", options->timeout, "how long the run may take [30s]")->check(is_duration());
    command->footer("Registers the workflow orch-smoke on a queue of that name and leaves one run of it. The role must be a member of orch_admin, or of "
                    "orch_operator and orch_worker.");
    command->callback([&chosen, options] { chosen = [options](session &with) { return smoke(with, *options); }; });
}

}  // namespace orch::cli
