// What several core tests need.
#pragma once

#include "core/json.hpp"
#include "core/plan.hpp"
#include "core/validate.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace orch::core {

inline Json json(std::string_view text)
{
    auto parsed = parse(text);
    if (const auto *problem = std::get_if<Problem>(&parsed)) throw std::invalid_argument(problem->message + " in " + std::string(text));
    return std::get<Json>(std::move(parsed));
}

/// A definition around the text of its tasks.
inline Json with_tasks(const std::string &tasks, const std::string &more = "")
{
    return json(R"({"id": "w", "tasks": )" + tasks + (more.empty() ? "" : ", " + more) + "}");
}

inline std::string listed(const std::vector<Problem> &problems)
{
    std::string text;
    for (const Problem &problem : problems) text += problem.code + " at " + problem.path + ": " + problem.message + "\n";
    return text;
}

inline Plan compiled(const Json &spec)
{
    const auto problems = validate(spec);
    if (has_errors(problems)) throw std::invalid_argument(listed(problems));
    return compile(spec);
}

/// "code /path" of each problem.
inline std::vector<std::string> found(const Json &spec, const PathCheck &check_path = {})
{
    std::vector<std::string> codes;
    for (const Problem &problem : validate(spec, check_path)) codes.push_back(problem.code + " " + problem.path);
    return codes;
}

using Codes = std::vector<std::string>;
inline const Codes nothing;

inline std::string file_text(const std::string &path)
{
    std::ifstream file(path, std::ios::binary);
    if (!file) throw std::invalid_argument("cannot read " + path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

/// Seconds of processor time that `work` takes, so that a busy machine fails no test; sanitizers slow everything down and are forgiven.
template <class Work>
double processor_seconds(const Work &work)
{
#ifdef __SANITIZE_ADDRESS__
    constexpr double slowness = 100;
#else
    constexpr double slowness = 1;
#endif
    const std::clock_t start = std::clock();
    work();
    return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC / slowness;
}

/// The folder that ORCH_TEST_DATA names, if any.
inline std::optional<std::string> test_data()
{
    const char *folder = std::getenv("ORCH_TEST_DATA");
    return folder && *folder ? std::optional<std::string>(folder) : std::nullopt;
}

inline std::vector<std::vector<std::string>> table(const std::string &path)
{
    std::vector<std::vector<std::string>> rows;
    std::istringstream lines(file_text(path));
    for (std::string line; std::getline(lines, line);) {
        std::vector<std::string> row;
        std::istringstream cells(line);
        for (std::string cell; std::getline(cells, cell, '\t');) row.push_back(cell);
        rows.push_back(row);
    }
    return rows;
}

}  // namespace orch::core
