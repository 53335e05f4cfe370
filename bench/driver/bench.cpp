#include "bench.hpp"

#include <cmath>

namespace orch_bench {

Bench::Bench(Options options)
    : options_(std::move(options)), clients_(static_cast<int>(options_.number("clients", 4))), batch_(static_cast<int>(options_.number("batch", 500))),
      costs_(database_)
{
    database_.prepare("trigger_many", "select run_id from orch.trigger_many($1, $2::jsonb[])");
    database_.prepare("trigger", "select orch.trigger($1, $2::jsonb)");
    database_.prepare("await", "call orch.await_run($1)");
}

void Bench::define(const std::string &name, const std::string &tasks)
{
    database_.query("select orch.register($1::text)", {R"({"id":")" + name + R"(","tasks":)" + tasks + "}"});
}

/// What autovacuum and the checkpointer would do in between, so that no phase pays for the one before.
void Bench::rest()
{
    database_.query("vacuum analyze");
    database_.query("checkpoint");
}

/// Seconds. A call a chunk, each input a document of its own.
double Bench::trigger_many(const std::string &name, long count, long chunk)
{
    const auto began = Clock::now();
    for (long done = 0; done < count; done += chunk) {
        std::string inputs = "{";
        for (long i = done; i < std::min(count, done + chunk); ++i)
            inputs.append(i > done ? "," : "").append(R"("{\"n\":)").append(std::to_string(i)).append("}\"");
        database_.run("trigger_many", {name, inputs + "}"});
    }
    return seconds_since(began);
}

void Bench::trigger_query(const std::string &name, long count)
{
    const std::string query = "select jsonb_build_object('n', i) from generate_series(1, " + std::to_string(count) + ") as i";
    database_.query("select orch.trigger_query($1, $2)", {name, query});
}

/// Finished runs that are there before: made as any others, so that what they leave behind is real.
void Bench::make_history(long count)
{
    if (count == 0) return;
    define("history", R"({"only":{"handler":"noop"}})");
    const auto began = Clock::now();
    constexpr long part = 100'000;
    for (long done = 0; done < count; done += part) {
        const long some = std::min(part, count - done);
        trigger_query("history", some);
        Workers workers(clients_, 500, "noop");
        workers.start(some);
        workers.wait(Clock::now());
        workers.finish();
    }
    Line("history").number("n", static_cast<double>(count)).number("s", seconds_since(began)).print();
}

/// Seconds from `began` until the database says that no run of it is open; `settled` is when the last task was, where that is known.
double Bench::until_over(const std::string &name, Clock::time_point began, double settled)
{
    for (bool first = true;; first = false) {
        const Rows rows = database_.query(
            "select not exists (select from orch.runs where workflow = $1 and state not in ('succeeded', 'failed', 'timed_out', 'cancelled'))", {name});
        if (*rows.at(0, 0) == 't') return first && settled >= 0 ? settled : seconds_since(began);
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
}

/// W1's second half: workers that come to what waits.
void Bench::drain_what_waits(const std::string &name, long tasks)
{
    costs_.begin();
    Line("drain").text("at", "begin").print();
    const auto began = Clock::now();
    Workers workers(clients_, batch_, "noop");  // their connections are in the clock, as the peers' are
    workers.start(tasks);
    const double seconds = until_over(name, began, workers.wait(began));
    workers.finish();
    Line line("drain");
    line.number("n", static_cast<double>(tasks)).number("s", seconds).number("per_s", static_cast<double>(tasks) / seconds).quantiles(workers.calls());
    line.raw("tenths", workers.tenths(began));
    costs_.add(line, static_cast<double>(tasks));
    line.print();
}

/// W2 and W3: workers that wait, runs that come, and the clock from the first trigger to the last end.
void Bench::trigger_and_drain(const std::string &name, long runs, long tasks)
{
    rest();
    Workers workers(clients_, batch_, "noop");
    workers.start(tasks);
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    costs_.begin();
    Line("work").text("at", "begin").print();
    const auto began = Clock::now();
    const double triggered = trigger_many(name, runs, options_.number("chunk", 5000));
    const double seconds = until_over(name, began, workers.wait(began));
    workers.finish();
    Line line("work");
    line.number("n", static_cast<double>(tasks)).number("s", seconds).number("per_s", static_cast<double>(tasks) / seconds).number("trigger_s", triggered);
    line.quantiles(workers.calls());
    costs_.add(line, static_cast<double>(tasks));
    line.print();
    verify(name, runs, tasks);
}

/// All runs of it succeeded, and the history has each start and end.
void Bench::verify(const std::string &name, long runs, long tasks)
{
    const Rows states = database_.query("select count(*), count(*) filter (where state = 'succeeded') from orch.runs where workflow = $1", {name});
    const Rows events = database_.query(
        "select count(*) filter (where kind = 'run_triggered'), count(*) filter (where kind = 'run_succeeded'), count(*) filter (where kind = 'task_started'),"
        " count(*) filter (where kind = 'task_succeeded') from orch.events where run_id in (select run_id from orch.runs where workflow = $1)"
        " and run_id >= (select run_id from orch.runs where workflow = $1 order by run_id limit 1)",
        {name});
    const auto must = [](const char *what, double got, long wanted) {
        if (std::lround(got) != wanted)
            throw std::runtime_error(std::string(what) + ": " + std::to_string(std::lround(got)) + " instead of " + std::to_string(wanted));
    };
    must("runs", states.number(0, 0), runs);
    must("runs that succeeded", states.number(0, 1), runs);
    must("events run_triggered", events.number(0, 0), runs);
    must("events run_succeeded", events.number(0, 1), runs);
    must("events task_started", events.number(0, 2), tasks);
    must("events task_succeeded", events.number(0, 3), tasks);
    Line("verified").text("workflow", name).number("runs", static_cast<double>(runs)).number("tasks", static_cast<double>(tasks)).print();
}

}  // namespace orch_bench
