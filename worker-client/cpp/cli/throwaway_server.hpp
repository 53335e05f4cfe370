#pragma once

#include "orch/command.hpp"

#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace orch::cli {

/// A PostgreSQL cluster with orch in a directory of its own, both gone with this object; the server ends with this process in whatever way. It listens at a socket in
/// that directory and nowhere else.
class throwaway_server {
public:
    /// With the programs of `pg_config --bindir` (PG_CONFIG names another pg_config). Throws std::runtime_error with what PostgreSQL said.
    throwaway_server();
    ~throwaway_server();
    throwaway_server(const throwaway_server &) = delete;
    throwaway_server &operator=(const throwaway_server &) = delete;

    [[nodiscard]] const std::string &url() const { return url_; }
    [[nodiscard]] const std::filesystem::path &directory() const { return directory_; }

private:
    std::string run(std::vector<std::string> arguments);
    std::vector<std::string> as_server(std::vector<std::string> arguments) const;

    std::filesystem::path directory_;
    std::string url_, programs_;
    process_guard guard_;
    std::stop_source stop_;
    std::thread server_;
};

}  // namespace orch::cli
