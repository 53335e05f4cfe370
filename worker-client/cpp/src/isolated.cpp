#include "isolated.hpp"

#include "executors.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>
#include <system_error>
#include <thread>

// Worker, nursery, child: the worker sends the nursery one end of a socket for each call; the nursery forks a child that has it, which is all it ever does.
// Worker and child talk over that socket: the task, log lines, progress, `stop`, the end. Its end of file means that the other side is gone: a child then kills
// its own group, and a worker takes the attempt for lost.

namespace orch {
namespace {

using namespace std::chrono_literals;

bool write_message(int socket, const json &message)
{
    const auto text = message.dump(-1, ' ', false, json::error_handler_t::replace);
    const auto size = static_cast<uint32_t>(text.size());
    std::string bytes(reinterpret_cast<const char *>(&size), sizeof size);
    bytes += text;
    for (size_t sent = 0; sent < bytes.size();) {
        const auto some = ::send(socket, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
        if (some < 0 && errno == EINTR) continue;
        if (some <= 0) return false;
        sent += static_cast<size_t>(some);
    }
    return true;
}

/// The next message, null at the end of file.
json read_message(int socket)
{
    const auto read = [socket](void *into, size_t size) {
        for (size_t got = 0; got < size;) {
            const auto some = ::recv(socket, static_cast<char *>(into) + got, size - got, 0);
            if (some < 0 && errno == EINTR) continue;
            if (some <= 0) return false;
            got += static_cast<size_t>(some);
        }
        return true;
    };
    uint32_t size = 0;
    if (!read(&size, sizeof size)) return nullptr;
    std::string text(size, '\0');
    return read(text.data(), size) ? json::parse(text) : json();
}

/// The task as the child has it: what it says goes to the worker.
class child_task : public leased_task {
public:
    child_task(int socket, const json &call) : socket_(socket)
    {
        run_id = call["run_id"];
        task_id = call["task_id"];
        attempt = call["attempt"];
        idempotency_key = call["idempotency_key"];
        traceparent = call["traceparent"];
        previous_progress = call["previous_progress"];
        input = call["input"].dump();
        // The monotonic clock is one for all processes of a machine.
        if (call.contains("deadline")) deadline = std::chrono::steady_clock::time_point(std::chrono::steady_clock::duration(call["deadline"].get<int64_t>()));
    }
    std::shared_ptr<const orch::payloads> large;  // for load alone: what comes in and goes out is the worker's
    json load(const json &value) override { return large ? large->load(value) : value; }
    void log(std::string_view line, std::string_view stream) override { tell({{"log", line}, {"stream", stream}}); }
    void progress(const json &details) override { tell({{"progress", details}}); }
    void tell(const json &message)
    {
        const std::lock_guard hold(lock_);
        (void)write_message(socket_, message);
    }

private:
    int socket_;
    std::mutex lock_;
};

[[noreturn]] void child(int socket, const handler_function &function, const std::shared_ptr<const payloads> &store)
{
    setpgid(0, 0);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) ::signal(signal, SIG_DFL);
    prctl(PR_SET_NAME, "orch-handler");
    const auto call = read_message(socket);
    if (call.is_null()) _exit(0);
    child_task work(socket, call);
    work.tell({{"pid", getpid()}});
    std::thread([&work, socket] {
        if (!read_message(socket).is_null()) work.interrupt(leased_task::reason::cancelled);
        (void)read_message(socket);
        ::kill(0, SIGKILL);
    }).detach();
    work.large = store;
    work.tell({{"end", "{" + run_handler(work, function).fields + "}"}});
    for (;;) pause();  // until the worker kills this group: so its number is nobody else's when it does
}

[[noreturn]] void nursery(int control, const handler_function &function, const std::shared_ptr<const payloads> &store)
{
    setsid();
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGCHLD}) ::signal(signal, SIG_IGN);  // so children are reaped by the kernel
    prctl(PR_SET_NAME, "orch-nursery");
    for (;;) {
        char byte = 0;
        iovec data{&byte, 1};
        alignas(cmsghdr) char room[CMSG_SPACE(sizeof(int))] = {};
        msghdr message{};
        message.msg_iov = &data;
        message.msg_iovlen = 1;
        message.msg_control = room;
        message.msg_controllen = sizeof room;
        const auto got = ::recvmsg(control, &message, MSG_CMSG_CLOEXEC);
        if (got < 0 && errno == EINTR) continue;
        const auto *header = got > 0 ? CMSG_FIRSTHDR(&message) : nullptr;
        if (!header) _exit(0);
        const int socket = *reinterpret_cast<const int *>(CMSG_DATA(header));
        if (::fork() == 0) {
            ::close(control);
            child(socket, function, store);
        }
        ::close(socket);
    }
}

class isolator {
public:
    isolator(const handler_function &function, std::chrono::milliseconds grace, const std::shared_ptr<const payloads> &store) : grace_(grace)
    {
        int ends[2];
        if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) throw std::system_error(errno, std::generic_category(), "socketpair");
        control_ = ends[0];
        nursery_ = ::fork();
        if (nursery_ == 0) {
            ::close(ends[0]);
            nursery(ends[1], function, store);
        }
        ::close(ends[1]);
        if (nursery_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
    }
    ~isolator()
    {
        ::close(control_);
        while (::waitpid(nursery_, nullptr, 0) < 0 && errno == EINTR) {}
    }
    isolator(const isolator &) = delete;
    isolator &operator=(const isolator &) = delete;

    json call(task_context &task, const json &input)
    {
        int ends[2];
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) throw std::system_error(errno, std::generic_category(), "socketpair");
        const descriptor ours(ends[0]);
        {
            const descriptor theirs(ends[1]);
            if (!hand_over(theirs.number)) throw task_error("infrastructure", "no_process", "the process that forks the handler's is gone");
        }
        json call{{"run_id", task.run_id},
                  {"task_id", task.task_id},
                  {"attempt", task.attempt},
                  {"idempotency_key", task.idempotency_key},
                  {"traceparent", task.traceparent},
                  {"previous_progress", task.previous_progress},
                  {"input", input}};
        if (task.deadline) call["deadline"] = task.deadline->time_since_epoch().count();
        write_message(ours.number, call);
        return result(ours.number, task);
    }

private:
    struct descriptor {
        explicit descriptor(int number) : number(number) {}
        ~descriptor() { ::close(number); }
        descriptor(const descriptor &) = delete;
        descriptor &operator=(const descriptor &) = delete;
        int number;
    };

    bool hand_over(int socket)
    {
        char byte = 0;
        iovec data{&byte, 1};
        alignas(cmsghdr) char room[CMSG_SPACE(sizeof(int))] = {};
        msghdr message{};
        message.msg_iov = &data;
        message.msg_iovlen = 1;
        message.msg_control = room;
        message.msg_controllen = sizeof room;
        auto *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        *reinterpret_cast<int *>(CMSG_DATA(header)) = socket;
        return ::sendmsg(control_, &message, MSG_NOSIGNAL) == 1;
    }

    json result(int socket, task_context &task) const
    {
        const descriptor told(::eventfd(0, EFD_CLOEXEC));
        const std::stop_callback tell(task.stop, [&] { ::eventfd_write(told.number, 1); });
        int group = 0;
        std::optional<std::chrono::steady_clock::time_point> kill_at;
        for (;;) {
            pollfd watched[] = {{socket, POLLIN, 0}, {kill_at ? -1 : told.number, POLLIN, 0}};
            const auto left = kill_at ? std::chrono::ceil<std::chrono::milliseconds>(*kill_at - std::chrono::steady_clock::now()) : 3'600'000ms;
            ::poll(watched, 2, static_cast<int>(std::max<int64_t>(left.count(), 0)));
            if (!kill_at && (watched[1].revents & POLLIN) != 0) {
                write_message(socket, "stop");
                kill_at = std::chrono::steady_clock::now() + grace_;
            }
            if (kill_at && std::chrono::steady_clock::now() >= *kill_at && group > 0)
                ::kill(-group, SIGKILL), kill_at = std::chrono::steady_clock::now() + 100ms;
            if (watched[0].revents == 0) continue;
            const auto message = read_message(socket);
            if (message.is_null() && kill_at) throw std::runtime_error("the handler did not stop and was killed");
            if (message.is_null()) throw task_error("infrastructure", "died", "the process of the handler died");
            if (message.contains("pid")) group = message["pid"];
            if (message.contains("log")) task.log(message["log"].get<std::string>(), message["stream"].get<std::string>());
            if (message.contains("progress")) task.progress(message["progress"]);
            if (!message.contains("end")) continue;
            ::kill(-group, SIGKILL);
            const auto fields = json::parse(message["end"].get<std::string>());
            if (fields.contains("output")) return fields["output"];
            const auto &error = fields["error"];
            throw task_error(error.value("class", ""), error.value("code", ""), error.value("message", ""), error.value("detail", ""));
        }
    }

    std::chrono::milliseconds grace_;
    int control_ = -1;
    pid_t nursery_ = -1;
};

}  // namespace

handler_function isolated(const handler_function &function, std::chrono::milliseconds grace, const std::shared_ptr<const payloads> &store)
{
    return [shared = std::make_shared<isolator>(function, grace, store)](task_context &task, const json &input) { return shared->call(task, input); };
}

}  // namespace orch
