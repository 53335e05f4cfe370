#include "orch/command.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <system_error>

namespace orch {

struct process_guard::state {
    int socket = -1;
    pid_t helper = -1;
    std::mutex lock;
    std::vector<int> groups;
};

namespace {

/// The helper's whole life; only async-signal-safe calls, as it is forked from a process that may have threads. A positive number on the socket is a
/// group to watch, a negative one is over; the socket's end is ours.
[[noreturn]] void watch(int socket)
{
    constexpr int room = 4096;
    static int groups[room];
    int count = 0;
    setsid();  // a Ctrl-C at the terminal is the worker's to answer
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGPIPE}) ::signal(signal, SIG_IGN);
    prctl(PR_SET_NAME, "orch-guard");
    const int null = ::open("/dev/null", O_RDWR);
    for (const int standard : {0, 1, 2}) dup2(null, standard);
    dup2(socket, 3);
    close_range(4, ~0U, 0);
    for (int group = 0;;) {
        const ssize_t got = ::recv(3, &group, sizeof group, MSG_WAITALL);
        if (got < 0 && errno == EINTR) continue;
        if (got != sizeof group) break;
        if (group > 0 && count < room) groups[count++] = group;
        for (int i = 0; group < 0 && i < count; ++i)
            if (groups[i] == -group) groups[i] = groups[--count];
    }
    for (int i = 0; i < count; ++i) ::kill(-groups[i], SIGKILL);
    _exit(0);
}

}  // namespace

process_guard::process_guard() : state_(std::make_unique<state>())
{
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) throw std::system_error(errno, std::generic_category(), "socketpair");
    state_->helper = ::fork();
    if (state_->helper == 0) watch(ends[1]);
    ::close(ends[1]);
    state_->socket = ends[0];
    if (state_->helper < 0) {
        ::close(ends[0]);
        throw std::system_error(errno, std::generic_category(), "fork");
    }
}

process_guard::~process_guard()
{
    kill_all();
    // Processes that were forked beside it hold this end as well: closing it would not be the end.
    ::shutdown(state_->socket, SHUT_RDWR);
    ::close(state_->socket);
    while (::waitpid(state_->helper, nullptr, 0) < 0 && errno == EINTR) {}
}

void process_guard::add(int group) noexcept
{
    const std::lock_guard hold(state_->lock);
    state_->groups.push_back(group);
    (void)::send(state_->socket, &group, sizeof group, MSG_NOSIGNAL);
}

void process_guard::remove(int group) noexcept
{
    const std::lock_guard hold(state_->lock);
    std::erase(state_->groups, group);
    const int over = -group;
    (void)::send(state_->socket, &over, sizeof over, MSG_NOSIGNAL);
}

void process_guard::kill_all() noexcept
{
    // A group is removed before its leader is reaped, so no number here can belong to somebody else yet.
    const std::lock_guard hold(state_->lock);
    for (const int group : state_->groups) ::kill(-group, SIGKILL);
}

}  // namespace orch
