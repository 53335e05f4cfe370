// orch-bench WORKLOAD [NAME=VALUE...]: orch by its SQL functions alone, as fast as a client can use them; a line of JSON for each phase. See bench/README.md.
//
// It works in the database of the PG* environment, which should be fresh. The line `verified` says what was counted in the end: a run that did not succeed, or
// that left a hole in the history, ends the program with an error.
#include "bench.hpp"

#include <iostream>

namespace {

const std::map<std::string, void (orch_bench::Bench::*)()> workloads = {
    {"W1", &orch_bench::Bench::bag},        {"W2", &orch_bench::Bench::chains},
    {"W3", &orch_bench::Bench::fans},       {"W4", &orch_bench::Bench::latency},
    {"W7", &orch_bench::Bench::graph},      {"W8", &orch_bench::Bench::many_workers},
    {"W9", &orch_bench::Bench::map},        {"W10", &orch_bench::Bench::in_the_database},
    {"W11", &orch_bench::Bench::memory},    {"restart", &orch_bench::Bench::restart},
    {"client", &orch_bench::Bench::client},
};

}  // namespace

int main(int count, char **arguments)
{
    if (count < 2 || !workloads.contains(arguments[1])) {
        std::cerr << "usage: orch-bench WORKLOAD [NAME=VALUE...], WORKLOAD one of";
        for (const auto &[name, run] : workloads) std::cerr << ' ' << name;
        std::cerr << '\n';
        return 2;
    }
    try {
        orch_bench::Bench bench(orch_bench::Options(count - 2, arguments + 2));
        (bench.*workloads.at(arguments[1]))();
        return 0;
    } catch (const std::exception &error) {
        std::cerr << "orch-bench: " << error.what() << '\n';
        return 1;
    }
}
