#include "throwaway_server.hpp"

#include "orch/connection.hpp"

#include <pwd.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>

extern char **environ;

namespace orch::cli {
namespace {

using namespace std::chrono_literals;

constexpr const char *user_of_server = "postgres";  // where the caller is root, which the server refuses to be

std::vector<std::string> environment()
{
    std::vector<std::string> all;
    for (char **entry = environ; *entry; ++entry)
        if (!std::string_view(*entry).starts_with("PG")) all.emplace_back(*entry);
    return all;
}

std::filesystem::path new_directory()
{
    std::string pattern = (std::filesystem::temp_directory_path() / "orch-dev.XXXXXX").string();
    if (!::mkdtemp(pattern.data())) throw std::runtime_error("cannot make a directory in " + std::filesystem::temp_directory_path().string());
    return pattern;
}

}  // namespace

std::vector<std::string> throwaway_server::as_server(std::vector<std::string> arguments) const
{
    if (::geteuid() == 0) arguments.insert(arguments.begin(), {"runuser", "-u", user_of_server, "--"});
    return arguments;
}

std::string throwaway_server::run(std::vector<std::string> arguments)
{
    std::string out;
    const auto name = arguments[0];
    const auto end = run_process(
        {.arguments = as_server(std::move(arguments)), .environment = environment(), .on_output = [&](bool, std::string_view bytes) { out += bytes; }}, guard_);
    if (end.start_errno != 0 || end.exit_code != 0) throw std::runtime_error(name + " failed: " + out);
    return out;
}

throwaway_server::throwaway_server()
{
    const char *named = std::getenv("PG_CONFIG");
    programs_ = run({named ? named : "pg_config", "--bindir"});
    while (programs_.ends_with('\n')) programs_.pop_back();
    directory_ = new_directory();
    try {
        if (::geteuid() == 0) {
            const auto *user = ::getpwnam(user_of_server);
            if (!user) throw std::runtime_error("a server cannot run as root, and there is no user postgres: run this as yourself");
            if (::chown(directory_.c_str(), user->pw_uid, user->pw_gid) != 0)
                throw std::runtime_error("cannot give " + directory_.string() + " to the user postgres");
            std::filesystem::permissions(directory_, std::filesystem::perms::others_exec | std::filesystem::perms::others_read,
                                         std::filesystem::perm_options::add);
        }
        const auto data = (directory_ / "data").string();
        run({programs_ + "/initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8"});
        url_ = "postgresql://postgres@/orch?port=5432&host=" + directory_.string();
        std::vector<std::string> command{programs_ + "/postgres", "-D", data, "-k", directory_.string()};
        for (const char *setting : {"listen_addresses=", "port=5432", "shared_preload_libraries=orch", "fsync=off", "max_worker_processes=16"})
            command.insert(command.end(), {"-c", setting});
        auto output = std::make_shared<std::string>();
        auto over = std::make_shared<std::atomic<bool>>(false);
        server_ = std::thread([this, command = as_server(std::move(command)), output, over] {
            (void)run_process({.arguments = command,
                               .environment = environment(),
                               .grace = 3000ms,
                               .stop = stop_.get_token(),
                               .on_output =
                                   [output](bool, std::string_view bytes) {
                                       if (output->size() < 65536) *output += bytes;
                                   }},
                              guard_);
            *over = true;
        });
        const std::string first = "postgresql://postgres@/postgres?port=5432&host=" + directory_.string();
        for (const auto end = std::chrono::steady_clock::now() + 60s;;) {
            try {
                connection(first).query("create database orch");
                break;
            } catch (const error &not_yet) {
                if (*over || std::chrono::steady_clock::now() > end)
                    throw std::runtime_error("the server does not start: " + std::string(not_yet.what()) + "\n" + (*over ? *output : ""));
                if (!not_yet.retryable()) throw;
                std::this_thread::sleep_for(50ms);
            }
        }
        connection(url_).query("create extension orch");
    } catch (...) {
        stop_.request_stop();
        if (server_.joinable()) server_.join();
        std::error_code ignored;
        std::filesystem::remove_all(directory_, ignored);
        throw;
    }
}

throwaway_server::~throwaway_server()
{
    stop_.request_stop();
    server_.join();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
}

}  // namespace orch::cli
