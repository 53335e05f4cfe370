#include "orch/command.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

namespace orch {
namespace {

using clock = std::chrono::steady_clock;

class descriptor {
public:
    descriptor() = default;
    explicit descriptor(int fd) : fd_(fd) {}
    descriptor(descriptor &&other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    descriptor &operator=(descriptor &&other) noexcept
    {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~descriptor() { close(); }
    void close()
    {
        if (fd_ >= 0) ::close(fd_);
        fd_ = -1;
    }
    [[nodiscard]] int get() const { return fd_; }

private:
    int fd_ = -1;
};

struct pipe_pair {
    descriptor read, write;
};

pipe_pair open_pipe()
{
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
    return {descriptor(ends[0]), descriptor(ends[1])};
}

std::vector<char *> pointers(const std::vector<std::string> &texts)
{
    std::vector<char *> list;
    list.reserve(texts.size() + 1);
    for (const auto &text : texts) list.push_back(const_cast<char *>(text.c_str()));
    list.push_back(nullptr);
    return list;
}

/// Between fork and exec of a process that has threads: async-signal-safe calls only.
[[noreturn]] void become(char **arguments, char **environment, int out, int err, int failure, pid_t parent)
{
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) _exit(127);  // it died before the line above
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    for (const int signal : {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGCHLD}) ::signal(signal, SIG_DFL);
    const int null = ::open("/dev/null", O_RDONLY);
    ::dup2(null, 0);
    ::dup2(out, 1);
    ::dup2(err, 2);
    ::execvpe(arguments[0], arguments, environment);
    const int why = errno;
    (void)!::write(failure, &why, sizeof why);
    _exit(127);
}

/// Hands on what is there, up to a bound, since a fast writer could keep us from its deadline for ever. False at the end of the pipe.
bool pass_on(int fd, bool is_stderr, const process &program, size_t bound)
{
    char bytes[65536];
    for (;;) {
        const ssize_t got = ::read(fd, bytes, sizeof bytes);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && errno == EAGAIN) return true;
        if (got <= 0) return false;
        if (program.on_output) program.on_output(is_stderr, {bytes, static_cast<size_t>(got)});
        if (static_cast<size_t>(got) >= bound) return true;
        bound -= static_cast<size_t>(got);
    }
}

int milliseconds_until(std::optional<clock::time_point> time)
{
    if (!time) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*time - clock::now()).count();
    return static_cast<int>(std::clamp<long>(left, 0, 3'600'000));
}

}  // namespace

process_end run_process(const process &program, process_guard &guard)
{
    process_end end;
    const auto begun = clock::now();
    auto out = open_pipe();
    auto err = open_pipe();
    auto failure = open_pipe();
    descriptor stop_event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    auto arguments = pointers(program.arguments);
    auto environment = pointers(program.environment);

    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    if (child < 0) {
        end.start_errno = errno;
        return end;
    }
    if (child == 0) become(arguments.data(), environment.data(), out.write.get(), err.write.get(), failure.write.get(), parent);
    ::setpgid(child, child);  // in both, since either may come first
    guard.add(child);
    for (auto *pair : {&out, &err, &failure}) pair->write.close();
    // By number: glibc 2.36 declares pidfd_open without extern "C".
    descriptor exited(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
    while (::read(failure.read.get(), &end.start_errno, sizeof end.start_errno) < 0 && errno == EINTR) {}
    for (const int fd : {out.read.get(), err.read.get()}) ::fcntl(fd, F_SETFL, O_NONBLOCK);

    const std::stop_callback on_stop(program.stop, [&] { ::eventfd_write(stop_event.get(), 1); });
    auto next_signal = program.deadline;
    int signal = SIGTERM;
    const auto strike = [&] {
        ::kill(-child, signal);
        next_signal = signal == SIGTERM ? std::optional(clock::now() + program.grace) : std::nullopt;
        signal = SIGKILL;
    };
    constexpr size_t a_turn = size_t{1} << 20;
    for (;;) {
        pollfd watched[] = {{exited.get(), POLLIN, 0}, {stop_event.get(), POLLIN, 0}, {out.read.get(), POLLIN, 0}, {err.read.get(), POLLIN, 0}};
        ::poll(watched, 4, milliseconds_until(next_signal));
        if (watched[0].revents != 0) break;
        if (watched[2].revents != 0 && !pass_on(out.read.get(), false, program, a_turn)) out.read.close();
        if (watched[3].revents != 0 && !pass_on(err.read.get(), true, program, a_turn)) err.read.close();
        if (watched[1].revents != 0 && !end.stopped) {
            end.stopped = true;
            eventfd_t count = 0;
            ::eventfd_read(stop_event.get(), &count);
            if (signal == SIGTERM) strike();
        }
        if (next_signal && clock::now() >= *next_signal) {
            end.timed_out = end.timed_out || (signal == SIGTERM && !end.stopped);
            strike();
        }
    }
    // The leader is a zombie now, so its number still names this group and nobody else's. What it left running goes with it.
    ::kill(-child, SIGKILL);
    constexpr size_t last_words = size_t{16} << 20;  // bounded too: somebody who left the group may still fill the pipe
    pass_on(out.read.get(), false, program, last_words);
    pass_on(err.read.get(), true, program, last_words);
    guard.remove(child);
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    if (WIFEXITED(status)) end.exit_code = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) end.signal = WTERMSIG(status);
    end.duration = std::chrono::duration_cast<std::chrono::milliseconds>(clock::now() - begun);
    return end;
}

}  // namespace orch
