#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace orch {

/// Kills process groups when this process ends in whatever way, SIGKILL included: a helper process waits at a socket for our end.
/// PR_SET_PDEATHSIG alone reaches only the direct child, and a shell's children would live on.
class process_guard {
public:
    process_guard();
    ~process_guard();
    process_guard(const process_guard &) = delete;
    process_guard &operator=(const process_guard &) = delete;

    void add(int group) noexcept;
    void remove(int group) noexcept;
    /// SIGKILL to every group that is watched.
    void kill_all() noexcept;

private:
    struct state;
    std::unique_ptr<state> state_;
};

/// One program to run, in a process group of its own, with /dev/null as its standard input.
struct process {
    std::vector<std::string> arguments;                               ///< The program, found by PATH, and its arguments.
    std::vector<std::string> environment;                             ///< All of it, as NAME=value.
    std::optional<std::chrono::steady_clock::time_point> deadline{};  ///< SIGTERM to the group at this time.
    std::chrono::milliseconds grace{5000};                            ///< From SIGTERM to SIGKILL.
    std::stop_token stop{};                                           ///< When it is set, the group gets SIGTERM at once, and SIGKILL after `grace`.
    std::function<void(bool is_stderr, std::string_view bytes)> on_output{};
};

/// How a program ended. What it left behind in its group is killed, its pipes are closed, it is reaped.
struct process_end {
    int exit_code = -1;   ///< -1 where a signal ended it.
    int signal = 0;       ///< The signal that ended it.
    int start_errno = 0;  ///< Why it could not be started at all.
    bool timed_out = false;
    bool stopped = false;
    std::chrono::milliseconds duration{0};
};

/// Runs it and waits for its end, in the calling thread, which has to live that long: the kernel ties PR_SET_PDEATHSIG to the thread.
[[nodiscard]] process_end run_process(const process &program, process_guard &guard);

}  // namespace orch
