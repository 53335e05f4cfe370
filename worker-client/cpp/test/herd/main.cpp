// orch_herd COUNT REDIS [POLL_MS]: so many workers for the handler noop in one process, each as it would be in one of its own, until SIGTERM. For tests of what many cost.
#include "orch/worker.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <thread>

int main(int count, char **words)
{
    if (count < 3) {
        std::cerr << "usage: orch_herd COUNT REDIS [POLL_MS]\n";
        return 2;
    }
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
    const char *database = std::getenv("ORCH_DATABASE_URL");

    // Blocked in all threads, so that this one can wait for them.
    sigset_t ends;
    sigemptyset(&ends);
    for (const int signal : {SIGTERM, SIGINT}) sigaddset(&ends, signal);
    pthread_sigmask(SIG_BLOCK, &ends, nullptr);

    std::vector<std::unique_ptr<orch::worker>> workers;
    std::vector<std::thread> threads;
    for (int i = 0; i < std::atoi(words[1]); ++i) {
        orch::worker_options options{.database = database ? database : "", .id = "herd-" + std::to_string(i), .commands = false};
        options.redis = words[2];
        if (count > 3) options.redis_poll = std::chrono::milliseconds(std::atoi(words[3]));
        options.redis_linger = std::chrono::milliseconds(500);
        // A small server refuses most of them at first.
        options.start_timeout = std::chrono::minutes(10);
        workers.push_back(std::make_unique<orch::worker>(std::move(options)));
        workers.back()->handler("noop", orch::noop_handler);
        threads.emplace_back([&worker = *workers.back()] {
            try {
                worker.run();
            } catch (const std::exception &failure) {
                std::cerr << failure.what() << '\n';
                std::_Exit(1);
            }
        });
    }
    int signal = 0;
    sigwait(&ends, &signal);
    for (auto &worker : workers) worker->stop();
    for (auto &thread : threads) thread.join();
    return 0;
}
