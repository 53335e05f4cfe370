#pragma once

// What a phase cost, by the server's own books, and the lines of JSON in which the driver tells it.
#include "database.hpp"
#include "workers.hpp"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iomanip>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace orch_bench {

/// One line of output: {"phase": "drain", ...}.
class Line {
public:
    explicit Line(const std::string &phase) { text("phase", phase); }

    Line &text(std::string_view key, std::string_view value) { return raw(key, '"' + std::string(value) + '"'); }
    Line &number(std::string_view key, double value)
    {
        std::ostringstream out;
        out << std::setprecision(7) << value;
        return raw(key, out.str());
    }
    Line &raw(std::string_view key, const std::string &json)
    {
        json_.append(json_.empty() ? "\"" : ", \"").append(key).append("\": ").append(json);
        return *this;
    }
    Line &quantiles(std::vector<double> values)
    {
        if (values.empty()) return *this;
        std::sort(values.begin(), values.end());
        const auto at = [&](double part) { return values[std::min(values.size() - 1, static_cast<size_t>(part * static_cast<double>(values.size())))]; };
        return number("p50_ms", at(0.5)).number("p95_ms", at(0.95)).number("p99_ms", at(0.99)).number("max_ms", values.back());
    }
    void print() const
    {
        std::printf("{%s}\n", json_.c_str());
        std::fflush(stdout);
    }

private:
    std::string json_;
};

/// WAL, commits and row versions between two moments, counted from the log itself: exact, and of all sessions.
class Costs {
public:
    explicit Costs(Database &database) : database_(database)
    {
        database_.query("create extension if not exists pg_walinspect");
        begin();
    }

    void begin() { from_ = database_.query("select pg_current_wal_insert_lsn()").at(0, 0); }

    void add(Line &line, double tasks)
    {
        const Rows rows =
            database_.query("select sum(record_size), sum(fpi_size),"
                            " coalesce(sum(count) filter (where \"resource_manager/record_type\" = 'Transaction/COMMIT'), 0),"
                            " coalesce(sum(count) filter (where \"resource_manager/record_type\" in ('Heap/UPDATE', 'Heap/HOT_UPDATE', 'Heap/DELETE')), 0),"
                            " coalesce(sum(count) filter (where \"resource_manager/record_type\" = 'Heap/HOT_UPDATE'), 0)"
                            " from pg_get_wal_stats($1::pg_lsn, pg_current_wal_flush_lsn(), true)",
                            {from_});
        line.number("wal", rows.number(0, 0) / tasks).number("fpi", rows.number(0, 1) / tasks).number("commits", rows.number(0, 2) / tasks);
        line.number("dead_made", rows.number(0, 3) / tasks).number("hot", rows.number(0, 4) / tasks);
    }

private:
    Database &database_;
    std::string from_;
};

/// What of a process is in memory, of its own or at all, in MiB: VmRSS, RssAnon.
inline double memory_of(const std::string &process, std::string_view what)
{
    std::ifstream file("/proc/" + process + "/status");
    for (std::string line; std::getline(file, line);)
        if (line.starts_with(what)) return std::stod(line.substr(line.find(':') + 1)) / 1024;
    return 0;
}

/// Seconds of processor time that a process has used.
inline double processor_of(const std::string &process)
{
    std::ifstream file("/proc/" + process + "/stat");
    std::string line, word;
    std::getline(file, line);
    std::istringstream rest(line.substr(line.rfind(')') + 2));
    for (int i = 0; i < 11; ++i) rest >> word;
    double user = 0, system = 0;
    rest >> user >> system;
    return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

}  // namespace orch_bench
