#pragma once

// The driver's workloads, and what they share.
#include "measure.hpp"
#include "workers.hpp"

#include <map>
#include <stdexcept>
#include <string>

namespace orch_bench {

/// NAME=VALUE, with two dashes before or not.
class Options {
public:
    Options(int count, char **arguments)
    {
        for (int i = 0; i < count; ++i) {
            const std::string given = arguments[i];
            const size_t sign = given.find('=');
            if (sign == std::string::npos) throw std::runtime_error("not NAME=VALUE: " + given);
            const size_t name = given.starts_with("--") ? 2 : 0;
            values_[given.substr(name, sign - name)] = given.substr(sign + 1);
        }
    }
    [[nodiscard]] long number(const std::string &name, long otherwise) const { return values_.contains(name) ? std::stol(values_.at(name)) : otherwise; }
    [[nodiscard]] std::string text(const std::string &name, const std::string &otherwise) const
    {
        return values_.contains(name) ? values_.at(name) : otherwise;
    }

private:
    std::map<std::string, std::string> values_;
};

class Bench {
public:
    explicit Bench(Options options);

    void bag();
    void chains();
    void fans();
    void latency();
    void graph();
    void many_workers();
    void map();
    void in_the_database();
    void memory();
    void restart();
    void client();

private:
    void define(const std::string &name, const std::string &tasks);
    void rest();
    double trigger_many(const std::string &name, long count, long chunk);
    void trigger_query(const std::string &name, long count);
    void make_history(long count);
    void drain_what_waits(const std::string &name, long tasks);
    void trigger_and_drain(const std::string &name, long runs, long tasks);
    double time_alone(const std::string &name, std::vector<double> &times);
    double until_over(const std::string &name, Clock::time_point began, double settled);
    void verify(const std::string &name, long runs, long tasks);

    Options options_;
    int clients_, batch_;
    Database database_;
    Costs costs_;
};

}  // namespace orch_bench
