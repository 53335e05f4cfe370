#include "database/pool.hpp"

#include "database/connection.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <deque>
#include <list>
#include <set>

namespace orch::bridge {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

using DatabaseConnectionPointer = std::unique_ptr<DatabaseConnection>;

struct WaitsForConnection {
    explicit WaitsForConnection(const asio::any_io_executor &executor) : timer(executor) {}
    asio::steady_timer timer;
    bool woken = false;
};

DatabaseError stopped_error()
{
    DatabaseError error("57P01", "the bridge stops");
    error.lost = true;
    return error;
}

std::string role_settings(bool local)
{
    const char *scope = local ? "true" : "false";
    return std::string("select set_config('role', $1, ") + scope + "), set_config('orch.tenant', $2, " + scope + "), set_config('orch.token', $3, " + scope +
           // A view of many parts looks expensive, and would be compiled for longer than it takes.
           "), set_config('statement_timeout', $4, " + scope + "), set_config('jit', 'off', " + scope + ")";
}

Params role_params(const Principal &principal, std::chrono::milliseconds time)
{
    return {principal.role, principal.tenant, principal.kind == "token" ? principal.name : principal.kind + ":" + principal.name, std::to_string(time.count())};
}

}  // namespace

struct Pool::State : std::enable_shared_from_this<Pool::State> {
    State(asio::any_io_executor executor, Settings settings) : executor(executor), settings(std::move(settings)), sweeper(executor) {}

    asio::any_io_executor executor;
    Settings settings;
    std::vector<Place> places;
    size_t first_place = 0;  ///< where the last connection was made
    std::vector<DatabaseConnectionPointer> idle;
    std::set<DatabaseConnection *> busy;
    std::list<WaitsForConnection *> queue;
    size_t total = 0;
    bool stopped = false, away = false, sweeping = false;
    asio::steady_timer sweeper;

    /// A connection on loan; goes back by itself, or away where it was left in the middle of something.
    struct Loan {
        Loan(std::shared_ptr<State> state, DatabaseConnectionPointer connection) : state(std::move(state)), connection(std::move(connection))
        {
            this->state->busy.insert(this->connection.get());
            this->state->sweep();
        }
        Loan(Loan &&) = default;
        ~Loan()
        {
            if (connection) state->give_back(std::move(connection));
        }
        DatabaseConnection *operator->() const { return connection.get(); }

        std::shared_ptr<State> state;
        DatabaseConnectionPointer connection;
    };

    void wake_one()
    {
        if (queue.empty()) return;
        WaitsForConnection *first = queue.front();
        queue.pop_front();
        first->woken = true;
        first->timer.cancel();
    }

    void give_back(DatabaseConnectionPointer connection)
    {
        busy.erase(connection.get());
        connection->deadline = DatabaseConnection::Clock::time_point::max();
        if (stopped || !connection->usable()) {
            connection.reset();
            total--;
        } else {
            connection->idle_since = DatabaseConnection::Clock::now();
            idle.push_back(std::move(connection));
        }
        wake_one();
    }

    void drop_idle()
    {
        total -= idle.size();
        idle.clear();
    }

    // One timer for all deadlines: whoever is past its own is interrupted, and what nobody has used for long is closed.
    void sweep()
    {
        if (sweeping || stopped) return;
        sweeping = true;
        sweeper.expires_after(100ms);
        sweeper.async_wait([self = weak_from_this()](boost::system::error_code stopped_waiting) {
            const auto state = self.lock();
            if (!state || stopped_waiting) return;
            state->sweeping = false;
            const auto now = DatabaseConnection::Clock::now();
            for (DatabaseConnection *connection : state->busy)
                if (connection->deadline < now) connection->interrupt();
            const auto old =
                std::remove_if(state->idle.begin(), state->idle.end(), [&](const auto &connection) { return connection->idle_since + 5min < now; });
            state->total -= static_cast<size_t>(state->idle.end() - old);
            state->idle.erase(old, state->idle.end());
            if (!state->busy.empty() || !state->idle.empty()) state->sweep();
        });
    }

    asio::awaitable<Loan> connect()
    {
        if (places.empty()) places = places_of(settings.url);
        DatabaseError last("08001", "the database cannot be reached");
        for (size_t i = 0; i < places.size(); i++) {
            const size_t number = (first_place + i) % places.size();
            total++;
            Loan loan(shared_from_this(), std::make_unique<DatabaseConnection>(executor));
            loan->deadline = DatabaseConnection::Clock::now() + settings.connect_time;
            try {
                co_await loan->open(places[number]);
                if (away || number != first_place) spdlog::info("connected to the database at {}", places[number].name);
                first_place = number;
                away = false;
                loan->deadline = DatabaseConnection::Clock::time_point::max();
                co_return loan;
            } catch (const DatabaseError &error) {
                if (stopped) throw stopped_error();
                if (!away) spdlog::warn("the database at {} cannot be reached: {} {}", places[number].name, error.message, error.detail);
                last = error;
            }
        }
        away = true;
        // Where it is and what it said is for the log, not for whoever asks.
        last.message = "the database cannot be reached";
        last.detail.clear();
        last.unknown = false;
        throw last;
    }

    asio::awaitable<Loan> borrow()
    {
        const auto patience = DatabaseConnection::Clock::now() + settings.patience;
        for (;;) {
            if (stopped) throw stopped_error();
            while (!idle.empty()) {
                DatabaseConnectionPointer connection = std::move(idle.back());
                idle.pop_back();
                if (connection->usable()) co_return Loan(shared_from_this(), std::move(connection));
                total--;
            }
            if (total < settings.size) {
                Loan loan = co_await connect();
                co_return loan;
            }
            WaitsForConnection waits(executor);
            const auto place = queue.insert(queue.end(), &waits);
            struct Leave {
                std::list<WaitsForConnection *> &queue;
                std::list<WaitsForConnection *>::iterator place;
                const WaitsForConnection &waits;
                ~Leave()
                {
                    if (!waits.woken) queue.erase(place);
                }
            } leave{queue, place, waits};
            waits.timer.expires_at(patience);
            boost::system::error_code ignored;
            co_await waits.timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
            if (!waits.woken) throw DatabaseError("53300", "all connections to the database are in use");
        }
    }
};

Pool::Pool(asio::any_io_executor executor, Settings settings) : state_(std::make_shared<State>(executor, std::move(settings))) {}
Pool::~Pool() { stop(); }

void Pool::stop()
{
    state_->stopped = true;
    state_->sweeper.cancel();
    for (DatabaseConnection *connection : state_->busy) connection->interrupt();
    state_->drop_idle();
    while (!state_->queue.empty()) state_->wake_one();
}

Pool::Status Pool::status() const { return {state_->total, state_->busy.size(), state_->queue.size(), state_->away}; }
bool Pool::has_room() const { return !state_->stopped && (!state_->idle.empty() || state_->total < state_->settings.size); }

namespace {

// The outcome of each statement between the frame that was put around them; the first error is thrown.
std::vector<Rows> rows_of(std::vector<DatabaseConnection::Outcome> &outcomes, size_t first, size_t count)
{
    for (DatabaseConnection::Outcome &outcome : outcomes)
        if (auto *error = std::get_if<DatabaseError>(&outcome)) throw std::move(*error);
    std::vector<Rows> rows;
    for (size_t i = first; i < first + count; i++) rows.push_back(std::move(std::get<Rows>(outcomes[i])));
    return rows;
}

}  // namespace

asio::awaitable<std::vector<Rows>> Pool::run_all(const Principal &principal, std::vector<Statement> statements)
{
    const std::shared_ptr<State> state = state_;
    const size_t count = statements.size();
    for (int attempt = 1;; attempt++) {
        std::vector<DatabaseConnection::Step> steps;
        steps.push_back({{"begin", {}}});
        steps.push_back({{role_settings(true), role_params(principal, state->settings.statement_time)}});
        for (const Statement &statement : statements) steps.push_back({statement});
        steps.push_back({{"commit", {}}});

        State::Loan loan = co_await state->borrow();
        loan->deadline = DatabaseConnection::Clock::now() + state->settings.statement_time + 5s;
        std::vector<DatabaseConnection::Outcome> outcomes;
        try {
            outcomes = co_await loan->exchange(std::move(steps));
        } catch (DatabaseError &error) {
            error.unknown = error.lost;
            if (state->stopped) throw stopped_error();
            throw;
        }
        const bool failed = std::any_of(outcomes.begin(), outcomes.end(), [](const auto &outcome) { return std::holds_alternative<DatabaseError>(outcome); });
        if (failed) {
            std::vector<DatabaseConnection::Step> rollback;
            rollback.push_back({{"rollback", {}}});
            try {
                co_await loan->exchange(std::move(rollback));
            } catch (const DatabaseError &) {
                // It is away now; what it said first is what counts.
            }
        }
        try {
            co_return rows_of(outcomes, 2, count);
        } catch (const DatabaseError &error) {
            // A server that has become a standby keeps its connections; the primary is elsewhere.
            if (error.code == "25006") {
                loan->interrupt();
                state->drop_idle();
            }
            if (!error.transient() || attempt > 1) throw;
        }
    }
}

asio::awaitable<Rows> Pool::run(const Principal &principal, std::string sql, Params params)
{
    std::vector<Statement> statements;
    statements.push_back({std::move(sql), std::move(params)});
    std::vector<Rows> rows = co_await run_all(principal, std::move(statements));
    co_return std::move(rows.front());
}

asio::awaitable<Rows> Pool::run_outside_block(const Principal &principal, std::string sql, Params params)
{
    const std::shared_ptr<State> state = state_;
    std::vector<DatabaseConnection::Step> steps;
    steps.push_back({{role_settings(true), role_params(principal, state->settings.statement_time)}});
    steps.push_back({{std::move(sql), std::move(params)}});
    State::Loan loan = co_await state->borrow();
    loan->deadline = DatabaseConnection::Clock::now() + state->settings.statement_time + 5s;
    try {
        std::vector<DatabaseConnection::Outcome> outcomes = co_await loan->exchange(std::move(steps));
        std::vector<Rows> rows = rows_of(outcomes, 1, 1);
        co_return std::move(rows.front());
    } catch (DatabaseError &error) {
        error.unknown = error.lost;
        if (state->stopped) throw stopped_error();
        throw;
    }
}

asio::awaitable<std::vector<Rows>> Pool::run_alone(const Principal &principal, std::vector<Statement> statements, std::chrono::milliseconds time)
{
    const std::shared_ptr<State> state = state_;
    const size_t count = statements.size();
    std::vector<DatabaseConnection::Step> steps;
    steps.push_back({{role_settings(false), role_params(principal, time)}, true});
    for (Statement &statement : statements) steps.push_back({std::move(statement), true});

    State::Loan loan = co_await state->borrow();
    loan->deadline = DatabaseConnection::Clock::now() + time + 5s;
    try {
        std::vector<DatabaseConnection::Outcome> outcomes = co_await loan->exchange(std::move(steps));
        // Another principal's request must not find the role of this one. In a write of its own: procedures that sleep wake when the client sends more.
        std::vector<DatabaseConnection::Step> reset;
        reset.push_back({{"select set_config('role', 'none', false)", {}}, true});
        const std::vector<DatabaseConnection::Outcome> after = co_await loan->exchange(std::move(reset));
        if (!std::holds_alternative<Rows>(after.front())) loan->interrupt();
        co_return rows_of(outcomes, 1, count);
    } catch (DatabaseError &error) {
        error.unknown = error.lost;
        if (state->stopped) throw stopped_error();
        throw;
    }
}

asio::awaitable<Rows> Pool::run_as_bridge(std::string sql, Params params)
{
    const std::shared_ptr<State> state = state_;
    std::vector<DatabaseConnection::Step> steps;
    steps.push_back({{std::move(sql), std::move(params)}, true});
    State::Loan loan = co_await state->borrow();
    loan->deadline = DatabaseConnection::Clock::now() + state->settings.statement_time;
    std::vector<DatabaseConnection::Outcome> outcomes = co_await loan->exchange(std::move(steps));
    std::vector<Rows> rows = rows_of(outcomes, 0, 1);
    co_return std::move(rows.front());
}

}  // namespace orch::bridge
