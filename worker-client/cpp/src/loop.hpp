#pragma once

#include "executors.hpp"
#include "orch/connection.hpp"
#include "orch/pooler.hpp"
#include "redis_hints.hpp"
#include "task_pool.hpp"

#include <atomic>
#include <deque>
#include <future>
#include <map>
#include <mutex>
#include <random>
#include <string>

// One thread and one connection do all the talking. Each turn sends what is due, sleeps in poll(2) until the socket, a finished task or a time calls,
// and takes in the answers. Statements go out in libpq's pipeline mode, so a result does not wait for an earlier answer; in particular not for
// await_work, which ends as soon as more bytes come in behind it. For that reason nothing is ever sent behind it in advance: libpq before 17 flushes at
// each Sync, and a lease sent along would wake what it should wait for. One connection is enough for heartbeats too: no statement but
// await_work takes long.
//
// Bytes end await_work only if they come in while it sleeps: those that the server reads together with it do not. So it is not sent right after a
// lease, since many a task ends at once, and whatever goes out behind it is followed by nudges until it has ended.
//
//   hungry    ask for tasks at the next turn: at the start, after await_work, and as long as every slot that was offered got one
//   asking    an exchange, complete_many or lease is in flight; results that end meanwhile go together in the next one
//   awaiting  await_work is in flight
//   resting   no connection: worker_rest was answered, and a hint in Redis or a time is waited for

namespace orch {

struct worker::loop : std::enable_shared_from_this<worker::loop> {
    using clock = std::chrono::steady_clock;
    using time = clock::time_point;
    using finished = task_pool::finished;

    explicit loop(worker_options given);
    ~loop();
    loop(const loop &) = delete;
    loop &operator=(const loop &) = delete;

    void run();
    void stop() noexcept;

    /// Of the loops of one worker: whether any of them has work.
    struct activity {
        std::atomic<int> busy{0};
        std::atomic<time> last_work{clock::now()};
    };
    std::shared_ptr<activity> company = std::make_shared<activity>();
    worker_options options;
    std::map<std::string, handler_function, std::less<>> handlers;
    std::map<std::pair<std::string, std::string>, std::pair<workflow_function, workflow_options>> workflows;  // by name and label

    /// Runs one statement over the connection of this loop, from the thread of a task, which waits for its answer; after a lost connection it is sent again.
    /// Throws what the server refuses, and detail::abandoned where the worker ends first.
    [[nodiscard]] rows ask_server(std::string sql, parameters values);

private:
    enum class call { settle, lease, await, heartbeat, log, release, rest, stop, request };
    struct request {
        std::string sql;
        parameters values;
        std::promise<rows> answer{};
    };
    struct statement {
        call kind;
        int asked = 0;                    // tasks that a lease or an exchange may bring
        std::vector<finished> results{};  // what a settle carries: back to the queue if the connection breaks
        std::string lease{};              // whose lines a log carries
        time at{};                        // when it was sent
        std::shared_ptr<request> asked_for{};
    };

    // worker_loop.cpp: the life of the worker
    void connect(bool first);
    void lose_connection(const error &why);
    void sleep();
    void begin_drain(time now);
    void finish();
    [[nodiscard]] time after_backoff();
    [[nodiscard]] bool over(time now);
    void expire_deadlines(time now);
    void collect_finished();
    void wake_at(time when) { next_ = std::min(next_, when); }
    void say(log_level level, const std::string &text, const task_context *about = nullptr) const;
    void note_start(const leased_task &work);
    void note_end(const leased_task &work, const outcome &ended);
    outcome execute(leased_task &work);
    outcome run_code(leased_task &work);
    outcome run_notification(leased_task &work);
    void register_code();
    void send_requests();
    void give_up_requests();

    // worker_calls.cpp: what is sent and what comes back
    void send_due(time now);
    void send(statement sent, const std::string &sql, const parameters &values);
    void ask(int free);
    void settle(int free);
    void send_lines();
    void send_lines_of(leased_task &work);
    void send_heartbeat();
    void release(const std::vector<std::string> &leases);
    void receive();
    void answered(const statement &sent, const connection::answer &answer);
    void refused(statement sent, const error &why);
    void take_tasks(const statement &sent, const rows &answer);
    void refuse_result(const statement &sent, const rows &answer, int row);
    void take_heartbeat(const statement &sent, const rows &answer);
    void stop_task(leased_task &work, leased_task::reason why);

    // worker_rest.cpp: waiting in Redis instead of holding a connection
    [[nodiscard]] bool resting() const noexcept { return hints_ && hints_->resting(); }
    [[nodiscard]] bool may_rest(time now);
    [[nodiscard]] bool still_rests(time now);
    [[nodiscard]] bool known_to_server();
    void ask_for_rest();
    void take_rest(const rows &answer);
    void refuse_rest(const error &why);
    [[nodiscard]] int free_slots() const { return options.concurrency - busy_; }

    std::optional<process_guard> guard_;  // where there may be commands to guard
    task_pool pool_;
    std::optional<connection> connection_;
    std::deque<statement> in_flight_;
    std::map<std::string, std::shared_ptr<leased_task>, std::less<>> tasks_;  // leased, and not known to be settled
    std::deque<finished> finished_;                                           // to be settled
    std::mutex requests_lock_;
    std::deque<std::shared_ptr<request>> requests_;  // not sent yet
    bool no_more_requests_ = false;
    int busy_ = 0;  // handed to the pool and not back

    bool hungry_ = true, asking_ = false, awaiting_ = false;
    bool one_by_one_ = false;  // a batch was refused as a whole: find the result that did it
    bool can_await_ = true;
    bool woken_by_us_ = false;   // bytes of ours went out behind the await_work in flight
    int fruitless_ = 0;          // times in a row that await_work ended at once and yet brought nothing
    bool check_leases_ = false;  // a new connection: compare the engine's list of our leases with ours
    bool new_process_ = true;    // what the engine lists at first was lost by a crash of our predecessor
    std::atomic<int> stops_{0};
    bool draining_ = false;

    std::chrono::milliseconds heartbeat_interval_{5000};
    size_t max_result_ = size_t{1} << 20;
    std::chrono::milliseconds backoff_{100}, nudge_delay_{1};
    pauses poll_pauses_;
    time next_, reconnect_at_, heartbeat_at_, lines_at_, poll_at_, await_at_, nudge_at_, drain_end_, last_work_;
    std::mt19937 dice_{std::random_device{}()};
    std::unique_ptr<redis_hints> hints_;  // with options.redis, while there is somebody who takes rests
    bool rested_ = false;                 // it was the rest that had ended the last connection
    bool look_first_ = false;
    int vain_rests_ = 0;                // times in a row that a rest was refused and yet nothing was leased
    time rest_at_;                      // not before
    std::string server_;                // when the server that knows us was started
    std::shared_ptr<loop> kept_alive_;  // by a handler that does not end
};

}  // namespace orch
