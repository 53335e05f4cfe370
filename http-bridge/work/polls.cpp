#include "work/polls.hpp"

#include "bridge.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <spdlog/spdlog.h>

#include <charconv>
#include <list>
#include <unordered_map>

namespace orch::bridge {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr auto one_call = 60s;
constexpr auto longest_memory = 10s;

std::vector<int> numbers_of(std::string_view array)
{
    std::vector<int> numbers;
    for (size_t i = 0; i < array.size();) {
        int number = 0;
        const auto [end, failure] = std::from_chars(array.data() + i, array.data() + array.size(), number);
        if (failure == std::errc()) {
            numbers.push_back(number);
            i = static_cast<size_t>(end - array.data());
        } else i++;
    }
    return numbers;
}

Principal listener_principal()
{
    Principal principal;
    principal.role = "orch_worker";
    principal.tenant = "default";
    return principal;
}

}  // namespace

struct Polls::State : std::enable_shared_from_this<Polls::State> {
    State(asio::any_io_executor executor, Pool::Settings settings) : executor(executor), pool(executor, std::move(settings)) {}

    struct Poll {
        explicit Poll(const asio::any_io_executor &executor) : timer(executor) {}
        asio::steady_timer timer;
        bool woken = false;

        void wake()
        {
            woken = true;
            timer.cancel();
        }
    };

    asio::any_io_executor executor;
    Pool pool;            ///< of one connection: the session that waits
    std::string process;  ///< its id in the server, empty while there is none
    bool listens = false, stopped = false;
    std::unordered_multimap<int, Poll *> polls;            ///< by the worker's number
    std::list<Poll *> starting;                            ///< polls that wait for the session
    std::unordered_map<int, Clock::time_point> too_early;  ///< woken before their poll slept

    void wake_starting()
    {
        for (Poll *poll : std::exchange(starting, {})) poll->wake();
    }

    void wake(int number)
    {
        const auto [first, last] = polls.equal_range(number);
        if (first == last) too_early[number] = Clock::now();
        for (auto poll = first; poll != last; ++poll) poll->second->wake();
    }

    void forget_session()
    {
        process.clear();
        for (auto &[number, poll] : polls) poll->wake();
    }

    bool wanted() const { return !stopped && (!polls.empty() || !starting.empty()); }

    asio::awaitable<void> listen()
    {
        const Principal principal = listener_principal();
        auto quiet_since = Clock::now();
        while (!stopped && (wanted() || Clock::now() - quiet_since < one_call)) {
            if (wanted()) quiet_since = Clock::now();
            bool failed = false;
            try {
                if (process.empty()) {
                    std::vector<Statement> begin;
                    begin.push_back({"call orch.await_workers(null, '0')", {}});
                    begin.push_back({"select pg_backend_pid()", {}});
                    const std::vector<Rows> begun = co_await pool.run_alone(principal, std::move(begin), 10s);
                    process = begun[1].text(0, 0);
                    wake_starting();
                }
                std::vector<Statement> call;
                call.push_back({"select pg_backend_pid()", {}});
                call.push_back({"call orch.await_workers(null, $1::interval)", {std::to_string(one_call.count()) + " s"}});
                const std::vector<Rows> told = co_await pool.run_alone(principal, std::move(call), one_call + 10s);
                if (told[0].text(0, 0) != process) forget_session();
                for (const int number : numbers_of(told[1].text(0, 0))) wake(number);
            } catch (const DatabaseError &error) {
                if (!stopped) spdlog::warn("the session that waits for workers ended: {}", error.message);
                failed = true;
            }
            std::erase_if(too_early, [](const auto &one) { return Clock::now() - one.second > longest_memory; });
            if (!failed) continue;
            forget_session();
            wake_starting();
            asio::steady_timer pause(executor, 500ms);
            boost::system::error_code ignored;
            co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
        }
        listens = false;
        process.clear();
    }

    void start_listening()
    {
        if (std::exchange(listens, true)) return;
        asio::co_spawn(
            executor, [self = shared_from_this()]() -> asio::awaitable<void> { co_await self->listen(); }, asio::detached);
    }
};

Polls::Polls(asio::any_io_executor executor, Pool::Settings settings) : state_(std::make_shared<State>(std::move(executor), std::move(settings))) {}
Polls::~Polls() { stop(); }

size_t Polls::waiting() const { return state_->polls.size(); }

void Polls::stop()
{
    state_->stopped = true;
    state_->pool.stop();
    state_->wake_starting();
}

asio::awaitable<bool> Polls::wait(Bridge &bridge, const Principal &principal, std::string worker, Clock::time_point until)
{
    const std::shared_ptr<State> state = state_;
    State::Poll poll(state->executor);
    boost::system::error_code ignored;
    state->start_listening();
    if (state->process.empty()) {
        struct Leave {
            State &state;
            State::Poll &poll;
            ~Leave() { state.starting.remove(&poll); }
        } leave{*state, poll};
        state->starting.push_back(&poll);
        poll.timer.expires_at(std::min(until, Clock::now() + 15s));
        co_await poll.timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
        if (state->process.empty()) throw DatabaseError("53300", "no session could be had to wait for work");
        poll.woken = false;
    }

    Params params{worker, state->process};
    int number = 0;
    bool stranger = false;
    try {
        const Rows told = co_await bridge.pool.run(principal, "select orch.worker_waits($1, $2::int)", std::move(params));
        const std::string text = told.text(0, 0);
        if (text.empty()) co_return true;
        std::from_chars(text.data(), text.data() + text.size(), number);
    } catch (const DatabaseError &error) {
        // The session is another one by now.
        if (error.code != "55000") throw;
        stranger = true;
    }
    if (stranger) {
        state->forget_session();
        asio::steady_timer pause(state->executor, 200ms);
        co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
        co_return true;
    }
    if (state->too_early.erase(number) > 0) co_return true;

    struct Leave {
        State &state;
        State::Poll &poll;
        Bridge &bridge;
        const Principal &principal;
        const std::string &worker;
        int number;
        ~Leave()
        {
            const auto [first, last] = state.polls.equal_range(number);
            for (auto one = first; one != last; ++one)
                if (one->second == &poll) {
                    state.polls.erase(one);
                    break;
                }
            if (poll.woken || state.stopped || state.polls.contains(number)) return;
            // It would be woken for work that it does not come for.
            asio::co_spawn(
                state.executor,
                [&bridge = bridge, principal = principal, worker = worker]() -> asio::awaitable<void> {
                    try {
                        Params nobody{worker, std::nullopt};
                        (void)co_await bridge.pool.run(principal, "select orch.worker_waits($1, $2::int)", std::move(nobody));
                    } catch (const DatabaseError &) {
                        // Its wake goes to another one a second after it was given.
                    }
                },
                asio::detached);
        }
    } leave{*state, poll, bridge, principal, worker, number};
    state->polls.emplace(number, &poll);
    poll.timer.expires_at(until);
    co_await poll.timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    co_return poll.woken;
}

}  // namespace orch::bridge
