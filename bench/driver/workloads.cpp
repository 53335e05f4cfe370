// W1 to W4, W7, W8, W10, W11 and the restart, as bench/README.md says what they are.
#include "bench.hpp"

#include <cstdlib>
#include <random>

namespace orch_bench {
namespace {

std::string chain_of(long length, const std::string &executor)
{
    std::string tasks = "{";
    for (long k = 0; k < length; ++k) {
        tasks.append(k > 0 ? "," : "").append("\"s").append(std::to_string(k)).append("\":{").append(executor);
        if (k > 0) tasks.append(R"(,"dependencies":["s)").append(std::to_string(k - 1)).append("\"]");
        tasks += '}';
    }
    return tasks + "}";
}

/// Root, children, join.
std::string fan_of(long width)
{
    std::string tasks = R"({"root":{"handler":"noop"})", join;
    for (long k = 0; k < width; ++k) {
        const std::string id = "c" + std::to_string(k);
        tasks.append(",\"").append(id).append(R"(":{"handler":"noop","dependencies":["root"]})");
        join.append(k > 0 ? "," : "").append("\"").append(id).append("\"");
    }
    return tasks + R"(,"join":{"handler":"noop","dependencies":[)" + join + "]}}";
}

/// Layers of `width`; each task waits for two of the layer above.
std::string graph_of(long tasks, long width)
{
    std::string text = "{";
    for (long k = 0; k < tasks; ++k) {
        text.append(k > 0 ? ",\"t" : "\"t").append(std::to_string(k)).append(R"(":{"handler":"noop")");
        if (const long layer = k / width; layer > 0) {
            const long above = (layer - 1) * width, place = k % width;
            text.append(R"(,"dependencies":["t)").append(std::to_string(above + place)).append("\"");
            if (width > 1) text.append(R"(,"t)").append(std::to_string(above + (place + 1) % width)).append("\"");
            text += ']';
        }
        text += '}';
    }
    return text + "}";
}

std::vector<std::string> backends(Database &database)
{
    const Rows rows = database.query("select pid from pg_stat_activity where pid is not null order by pid");
    std::vector<std::string> pids;
    for (int row = 0; row < rows.count(); ++row) pids.emplace_back(rows.at(row, 0));
    return pids;
}

double processor_of_all(Database &database)
{
    double seconds = 0;
    for (const auto &pid : backends(database)) seconds += processor_of(pid);
    return seconds;
}

/// The most that a process of the server has of its own, in MiB, and which.
void add_memory(Line &line, Database &database)
{
    double most = 0;
    for (const auto &pid : backends(database)) most = std::max(most, memory_of(pid, "RssAnon"));
    line.number("backend_mib", most);
}

}  // namespace

void Bench::bag()
{
    const long n = options_.number("n", 20'000);
    make_history(options_.number("history", 0));
    define("bag", R"({"only":{"handler":"noop"}})");
    rest();
    costs_.begin();
    Line("trigger").text("at", "begin").print();
    double seconds = 0;
    if (options_.text("trigger", "many") == "query") {
        const auto began = Clock::now();
        trigger_query("bag", n);
        seconds = seconds_since(began);
    } else {
        seconds = trigger_many("bag", n, options_.number("chunk", 5000));
    }
    Line line("trigger");
    line.number("n", static_cast<double>(n)).number("s", seconds).number("per_s", static_cast<double>(n) / seconds);
    costs_.add(line, static_cast<double>(n));
    line.print();
    if (options_.number("checkpoint", 0) != 0) rest();
    else database_.query("analyze");
    std::unique_ptr<Database> holder;
    if (options_.number("held", 0) != 0) {
        holder = std::make_unique<Database>();
        holder->query("begin isolation level repeatable read");
        holder->query("select count(*) from orch.workflows");
    }
    drain_what_waits("bag", n);
    holder.reset();
    verify("bag", n, n);
    database_.query("select pg_stat_force_next_flush()");
    const Rows dead =
        database_.query("select sum(n_dead_tup), pg_database_size(current_database()) / 1048576 from pg_stat_all_tables where schemaname = '_orch'");
    Line("left").number("dead_left", dead.number(0, 0) / static_cast<double>(n)).number("db_mb", dead.number(0, 1)).print();
}

void Bench::chains()
{
    const long runs = options_.number("n", 200), length = options_.number("length", 20);
    define("chain", chain_of(length, R"("handler":"noop")"));
    trigger_and_drain("chain", runs, runs * length);
}

void Bench::fans()
{
    const long runs = options_.number("n", 100), width = options_.number("width", 100);
    define("fan", fan_of(width));
    trigger_and_drain("fan", runs, runs * (width + 2));
}

/// A run alone: from the trigger to the answer that it is over; milliseconds.
double Bench::time_alone(const std::string &name, std::vector<double> &times)
{
    static std::minstd_rand dice(1);
    std::this_thread::sleep_for(std::chrono::microseconds(2000 + dice() % 8000));
    const auto began = Clock::now();
    const Rows run = database_.run("trigger", {name, "{}"});
    database_.run("await", {run.at(0, 0)});
    times.push_back(seconds_since(began) * 1000);
    return times.back();
}

void Bench::latency()
{
    const long runs = options_.number("n", 200), length = options_.number("length", 3);
    define("chain", chain_of(length, R"("handler":"noop")"));
    rest();
    std::vector<double> times;
    Workers workers(static_cast<int>(options_.number("clients", 1)), static_cast<int>(options_.number("batch", 10)), "noop");
    workers.start(0);
    for (int i = 0; i < 20; ++i) time_alone("chain", times);
    times.clear();
    costs_.begin();
    Line("latency").text("at", "begin").print();
    const auto began = Clock::now();
    for (long i = 0; i < runs; ++i) time_alone("chain", times);
    Line line("latency");
    line.number("n", static_cast<double>(runs * length)).number("s", seconds_since(began)).quantiles(times);
    costs_.add(line, static_cast<double>(runs * length));
    line.print();
    workers.finish();
    verify("chain", runs + 20, (runs + 20) * length);
}

void Bench::graph()
{
    const long tasks = options_.number("n", 10'000), width = options_.number("width", std::max(10L, tasks / 100));
    const std::string definition = R"({"id":"graph","tasks":)" + graph_of(tasks, width) + "}";
    Line line("graph");
    line.number("n", static_cast<double>(tasks));
    const auto time = [&line](const char *what, auto &&call) {
        const auto began = Clock::now();
        call();
        line.number(what, seconds_since(began));
    };
    time("validate_s", [&] { database_.query("select count(*) from orch.validate($1::text)", {definition}); });
    time("register_s", [&] { database_.query("select orch.register($1::text)", {definition}); });
    rest();
    time("trigger_s", [&] { database_.run("trigger", {"graph", "{}"}); });
    rest();
    line.print();
    drain_what_waits("graph", tasks);
    verify("graph", 1, tasks);
    Line memory("memory");
    add_memory(memory, database_);
    memory.print();
}

void Bench::many_workers()
{
    const long n = options_.number("n", 20'000);
    define("bag", R"({"only":{"handler":"noop"}})");
    rest();
    Workers workers(static_cast<int>(options_.number("workers", 8)), static_cast<int>(options_.number("batch", 10)), "noop");
    workers.start(n);
    std::this_thread::sleep_for(std::chrono::seconds(2));
    const auto commits = [this] {
        database_.query("select pg_stat_force_next_flush()");
        return database_.query("select xact_commit + xact_rollback from pg_stat_database where datname = current_database()").number(0, 0);
    };
    const double idle_seconds = static_cast<double>(options_.number("idle", 5));
    const double before = commits(), used = processor_of_all(database_);
    std::this_thread::sleep_for(std::chrono::duration<double>(idle_seconds));
    const double used_now = processor_of_all(database_), now = commits();
    // What asks is in the count too: its own statements.
    Line("idle")
        .number("workers", static_cast<double>(options_.number("workers", 8)))
        .number("queries_per_s", std::max(0.0, now - before - 3) / idle_seconds)
        .number("processor_pct", 100 * (used_now - used) / idle_seconds)
        .print();

    const double triggered = trigger_many("bag", n, n);
    const auto began = Clock::now();
    costs_.begin();
    Line("drain").text("at", "begin").print();
    const double seconds = until_over("bag", began, workers.wait(began));
    workers.finish();
    Line line("drain");
    line.number("n", static_cast<double>(n))
        .number("s", seconds)
        .number("per_s", static_cast<double>(n) / seconds)
        .number("trigger_s", triggered)
        .quantiles(workers.calls());
    costs_.add(line, static_cast<double>(n));
    line.print();
    verify("bag", n, n);
}

void Bench::map()
{
    const long n = options_.number("n", 100'000);
    const std::string tasks = R"({"each":{"handler":"noop","for_each":"{{ input.items }}"}})";
    if (database_.query("select from orch.validate($1::text) where code = 'not_supported_yet'", {R"({"id":"map","tasks":)" + tasks + "}"}).count() > 0) {
        Line("skipped").text("why", "this version has no maps").print();
        return;
    }
    define("map", tasks);
    std::string items;
    for (long i = 0; i < n; ++i) items.append(i > 0 ? "," : "").append(std::to_string(i));
    rest();
    const auto began = Clock::now();
    database_.run("trigger", {"map", R"({"items":[)" + items + "]}"});
    while (database_.query("select ready from orch.queues").count() == 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    while (database_.query("select coalesce(sum(ready), 0) from orch.queues").number(0, 0) < static_cast<double>(n))
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    Line("expand").number("n", static_cast<double>(n)).number("s", seconds_since(began)).print();
    drain_what_waits("map", n);
}

void Bench::in_the_database()
{
    const long runs = options_.number("n", 500), length = options_.number("length", 10);
    define("sql", chain_of(length, R"("sql":"select 1 as one")"));
    std::vector<double> times;
    for (int i = 0; i < 10; ++i) time_alone("sql", times);
    rest();
    costs_.begin();
    Line("work").text("at", "begin").print();
    const auto began = Clock::now();
    trigger_many("sql", runs, 5000);
    const double seconds = until_over("sql", began, seconds_since(began));
    Line line("work");
    line.number("n", static_cast<double>(runs * length)).number("s", seconds).number("per_s", static_cast<double>(runs * length) / seconds);
    costs_.add(line, static_cast<double>(runs * length));
    line.print();
    times.clear();
    const long alone = options_.number("alone", 50);
    for (long i = 0; i < alone; ++i) time_alone("sql", times);
    Line("latency").number("n", static_cast<double>(alone)).quantiles(times).print();
    verify("sql", runs + 10 + alone, (runs + 10 + alone) * length);
}

void Bench::memory()
{
    const long n = options_.number("n", 1'000'000);
    define("bag", R"({"only":{"handler":"noop"}})");
    const auto began = Clock::now();
    trigger_query("bag", n);
    Line triggered("trigger");
    triggered.number("n", static_cast<double>(n)).number("s", seconds_since(began)).number("per_s", static_cast<double>(n) / seconds_since(began));
    add_memory(triggered, database_);
    triggered.print();

    // By parts, so that growth shows.
    Workers workers(clients_, batch_, "noop");
    workers.start(n);
    for (int part = 1; part <= 4; ++part) {
        while (workers.settled() < n * part / 4) std::this_thread::sleep_for(std::chrono::milliseconds(20));
        Line line("memory");
        line.number("n", static_cast<double>(n * part / 4)).number("driver_mib", memory_of("self", "VmRSS"));
        add_memory(line, database_);
        line.print();
    }
    workers.wait(began);
    workers.finish();
    verify("bag", n, n);
}

/// From the start of the server to the first lease. The commands that end and start it are given: stop=..., start=...
void Bench::restart()
{
    const long active = options_.number("n", 100'000);
    make_history(options_.number("history", 0));
    define("bag", R"({"only":{"handler":"noop"}})");
    trigger_query("bag", active);
    database_.query("checkpoint");
    if (std::system(options_.text("stop", "server-ctl stop").c_str()) != 0) throw std::runtime_error("the server did not stop");
    const auto began = Clock::now();
    if (std::system(options_.text("start", "server-ctl start").c_str()) != 0) throw std::runtime_error("the server did not start");
    const double started = seconds_since(began);
    Database again;
    again.query("select orch.worker_start('first', handlers => '{noop}')");
    double first = 0;
    while (first == 0) {
        try {
            if (again.query("select lease from orch.lease('first')").count() > 0) first = seconds_since(began);
        } catch (const std::exception &) {
            // It refuses until the rows have been read.
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    Line("restart").number("active", static_cast<double>(active)).number("started_s", started).number("first_lease_s", first).print();
    again.query("select orch.worker_stop('first')");
    const auto drained = Clock::now();
    Workers workers(clients_, batch_, "noop");
    workers.start(active);
    const double seconds = workers.wait(drained);
    workers.finish();
    Line("drain").number("n", static_cast<double>(active)).number("s", seconds).number("per_s", static_cast<double>(active) / seconds).print();
}

}  // namespace orch_bench
