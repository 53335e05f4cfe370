// Preloaded into a worker: kills it by SIGKILL at its n-th write to a socket, before (ORCH_DIE_AT=n) or after it (ORCH_DIE_AT=n+). Between two writes a worker does
// nothing that another process could see, so these are all the points of its life.

#include <dlfcn.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <cstring>

extern "C" __attribute__((visibility("default"))) ssize_t send(int socket, const void *bytes, size_t size, int flags)
{
    using send_function = ssize_t (*)(int, const void *, size_t, int);
    static const auto real = reinterpret_cast<send_function>(dlsym(RTLD_NEXT, "send"));
    static const char *wanted = std::getenv("ORCH_DIE_AT");
    static const int at = wanted ? std::atoi(wanted) : -1;
    static const bool after = wanted && std::strchr(wanted, '+') != nullptr;
    static std::atomic<int> count{0};
    const bool here = ++count == at;
    if (here && !after) kill(getpid(), SIGKILL);
    const auto sent = real(socket, bytes, size, flags);
    if (here && after) kill(getpid(), SIGKILL);
    return sent;
}
