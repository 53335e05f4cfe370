#include "session.hpp"

#include "duration.hpp"
#include "table.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <thread>

namespace orch::cli {

rows session::query(const std::string &sql, const parameters &values)
{
    if (!connection_) {
        connection_.emplace(database);
        connection_->on_notice([](std::string_view text) { std::cerr << visible(text) << '\n'; });
    }
    try {
        return connection_->query(sql, values);
    } catch (const error &broken) {
        if (broken.poisons_connection) connection_.reset();
        throw;
    }
}

void session::wait_in(const std::string &call, const parameters &values, std::chrono::milliseconds most)
{
    if (pooled()) return std::this_thread::sleep_for(std::min(most, between_looks_.next()));
    query("set statement_timeout = 0");
    query(call, values);
}

void session::persistently(const std::function<void()> &call)
{
    using namespace std::chrono_literals;
    auto pause = 100ms;
    auto give_up = std::chrono::steady_clock::now() + 2min;
    for (bool lost = false;;) {
        try {
            if (lost) {
                query("select");
                lost = false;
                pause = 100ms;
                give_up = std::chrono::steady_clock::now() + 2min;
            }
            return call();
        } catch (const error &broken) {
            if (!broken.poisons_connection || std::chrono::steady_clock::now() >= give_up) throw;
            if (!lost) std::cerr << "orch: the connection was lost, connecting again\n";
            lost = true;
            std::this_thread::sleep_for(pause);
            pause = std::min<std::chrono::milliseconds>(pause * 2, 2s);
        }
    }
}

void session::write(const std::string &text) const
{
    std::cout << text;
    std::cout.flush();
}

void session::print(const std::string &sql, const parameters &values, const std::string &if_empty)
{
    if (as_json) return write(query("select coalesce(json_agg(to_json(r)), '[]')::text as all from (" + sql + ") r", values).text(0, "all") + "\n");
    const auto found = query(sql, values);
    if (found.size() == 0 && !if_empty.empty()) {
        std::cerr << if_empty << '\n';
        return;
    }
    // A person reads the start of a long cell; a pipe gets all of it.
    const size_t longest = ::isatty(STDOUT_FILENO) != 0 ? 60 : SIZE_MAX;
    std::vector<std::string> headings;
    std::vector<std::vector<std::string>> lines;
    headings.reserve(static_cast<size_t>(found.columns()));
    for (int column = 0; column < found.columns(); ++column) headings.emplace_back(visible(found.name(column)));
    for (int row = 0; row < found.size(); ++row) {
        auto &line = lines.emplace_back();
        for (int column = 0; column < found.columns(); ++column) line.push_back(shortened(visible(found.at(row, column).value_or("")), longest));
    }
    write(table(headings, lines));
}

void session::print_one(const std::string &sql, const parameters &values)
{
    const auto found = query(as_json ? "select to_json(r)::text from (" + sql + ") r" : sql, values);
    if (found.size() == 0) return;
    if (as_json) return write(std::string(found.at(0, 0).value_or("null")) + "\n");
    size_t widest = 0;
    for (int column = 0; column < found.columns(); ++column) widest = std::max(widest, found.name(column).size());
    for (int column = 0; column < found.columns(); ++column)
        if (const auto value = found.at(0, column))
            write(std::string(found.name(column)) + std::string(widest - found.name(column).size() + 2, ' ') + visible(*value) + "\n");
}

std::string read_file(const std::string &name)
{
    std::ifstream file;
    if (name != "-") {
        file.open(name, std::ios::binary);
        if (!file) throw error("58P01", "cannot read \"" + name + "\": " + std::strerror(errno));
    }
    std::istream &from = name == "-" ? std::cin : file;
    std::string text{std::istreambuf_iterator<char>(from), {}};
    if (from.bad() || (text.empty() && name != "-" && file.fail() && !file.eof())) throw error("58030", "cannot read \"" + name + "\"");
    return text;
}

CLI::Validator is_duration()
{
    return {[](const std::string &text) {
                try {
                    (void)duration(text);
                    return std::string();
                } catch (const std::invalid_argument &wrong) {
                    return std::string(wrong.what());
                }
            },
            "DURATION"};
}

bool final_state(std::string_view state) { return state == "succeeded" || state == "failed" || state == "timed_out" || state == "cancelled"; }

}  // namespace orch::cli
