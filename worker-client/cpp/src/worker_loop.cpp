#include "loop.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

namespace orch {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view notification_handler = "orch.notify", notification_queue = "orch.notifications";

std::string made_up_id(std::mt19937 &dice)
{
    char host[256] = "host";
    (void)::gethostname(host, sizeof host - 1);
    char tail[32];
    snprintf(tail, sizeof tail, ":%d:%06x", static_cast<int>(::getpid()), static_cast<unsigned>(dice() & 0xFFFFFF));
    return std::string(host) + tail;
}

/// A PostgreSQL array literal.
std::string array_of(const std::vector<std::string> &items)
{
    std::string text = "{";
    for (const auto &item : items) {
        text += text.size() > 1 ? ",\"" : "\"";
        for (const char c : item) {
            if (c == '"' || c == '\\') text += '\\';
            text += c;
        }
        text += '"';
    }
    return text + "}";
}

}  // namespace

worker::loop::loop(worker_options given) : options(std::move(given)), pool_([this](leased_task &work) { return execute(work); })
{
    options.concurrency = std::max(options.concurrency, 1);
    if (!options.pooled) options.pooled = database_url(options.database).pooled;
    if (options.pooled.value_or(false) && !options.session.empty()) throw error("22023", "statements for each new connection do not last behind a pooler");
    if (options.notifications && std::ranges::find(options.queues, notification_queue) == options.queues.end()) options.queues.emplace_back(notification_queue);
    if (options.commands) guard_.emplace();
    if (options.id.empty()) options.id = made_up_id(dice_);
    if (!options.redis.empty())
        hints_ = std::make_unique<redis_hints>(options.redis, options.redis_poll, [this](log_level level, const std::string &text) { say(level, text); });
}

worker::loop::~loop()
{
    // Only after an exception out of run is there anything left: end it, since the pool's threads are joined.
    for (const auto &[lease, work] : tasks_) work->interrupt(leased_task::reason::draining);
    give_up_requests();
    if (guard_) guard_->kill_all();
}

void worker::loop::say(log_level level, const std::string &text, const task_context *about) const
{
    if (options.log) options.log(level, text, about);
}

void worker::loop::note_start(const leased_task &work)
{
    ++busy_;
    ++company->busy;
    if (options.observer) options.observer->started(work.route());
    say(log_level::debug, "task " + work.task_id + " of run " + work.run_id + " starts", &work);
}

void worker::loop::note_end(const leased_task &work, const outcome &ended)
{
    const auto why = work.interrupted();
    const std::string_view word = why == leased_task::reason::lost        ? "lost"
                                  : ended.fields.empty()                  ? "suspended"
                                  : ended.is_success()                    ? "succeeded"
                                  : ended.is_skip()                       ? "skipped"
                                  : why == leased_task::reason::draining  ? "released"
                                  : why == leased_task::reason::cancelled ? "cancelled"
                                  : ended.error_class() == "timeout"      ? "timed_out"
                                                                          : "failed";
    const std::chrono::duration<double> took = clock::now() - work.leased_at;
    --busy_;
    --company->busy;
    last_work_ = clock::now();
    company->last_work = last_work_;
    if (options.observer) options.observer->ended(work.route(), word, took);
    const bool failed = word == "failed" || word == "timed_out";
    if (!options.log) return;
    say(failed ? log_level::info : log_level::debug,
        "task " + work.task_id + " of run " + work.run_id + " " + (word == "timed_out" ? "ran into its timeout" : std::string(word)) +
            (failed ? " as " + ended.error_class() : ""),
        &work);
}

outcome worker::loop::execute(leased_task &work)
{
    const auto lookup = [this](const std::string &name) { return find_secret(options.secrets_dir, name); };
    if (work.executor == "command" && options.commands) return run_command(work, *guard_, options.grace, max_result_, lookup);
    if (work.executor == "http" && options.http) return run_http(work, lookup, max_result_);
    if (work.executor == "code" || work.executor == "query") return run_code(work);
    if (options.notifications && work.executor == "handler" && work.handler == notification_handler) return run_notification(work);
    const auto found = handlers.find(work.handler);
    if (work.executor != "handler" || found == handlers.end())
        return outcome::failure(error_json("infrastructure", "not_served", "this worker does not serve " + work.executor + " " + work.handler));
    return run_handler(work, found->second);
}

void worker::loop::stop() noexcept
{
    ++stops_;
    pool_.wake();
}

void worker::loop::run()
{
    connect(true);
    for (;;) {
        const auto now = clock::now();
        next_ = now + 1h;
        if (stops_ > 0 && !draining_) begin_drain(now);
        collect_finished();
        if (over(now)) break;
        expire_deadlines(now);
        try {
            const bool rests = still_rests(now);
            if (!connection_ && !rests && now >= reconnect_at_) connect(false);
            if (connection_) send_due(now);
            else if (!rests) wake_at(reconnect_at_);
            sleep();
            if (connection_) receive();
        } catch (const error &broken) {
            if (!broken.poisons_connection) throw;
            lose_connection(broken);
        }
    }
    finish();
}

worker::loop::time worker::loop::after_backoff()
{
    const auto delay = backoff_ / 2 + std::chrono::milliseconds(dice_() % static_cast<unsigned>(backoff_.count()));
    backoff_ = std::min(backoff_ * 2, std::chrono::milliseconds(5000));
    return clock::now() + delay;
}

void worker::loop::connect(bool first)
{
    const auto give_up = clock::now() + options.start_timeout;
    for (;;) {
        try {
            connection_.emplace(options.database);
            // A server process of our own waits for hours on purpose; one behind a pooler is others' too.
            const auto found = connection_->query("select case when pg_backend_pid() = $1::int then set_config('statement_timeout', '0', false) || "
                                                  "set_config('idle_session_timeout', '0', false) end as own",
                                                  {std::to_string(connection_->process())});
            if (!options.pooled && !found.at(0, "own")) say(log_level::warning, std::string(pooler_found));
            for (const auto &statement : options.session) connection_->query(statement);
            if (known_to_server()) {
                connection_->enter_pipeline();
                break;
            }
            // Three heartbeats must fit into a lease.
            const auto settings = connection_->query(
                "select 1000 * least(extract(epoch from coalesce(nullif(current_setting('orch.heartbeat_interval', true), ''), '5s')::interval), "
                "extract(epoch from coalesce($1, nullif(current_setting('orch.default_lease_time', true), ''), '30s')::interval) / 3)::float8 as beat, "
                "pg_size_bytes(coalesce(nullif(current_setting('orch.max_result_bytes', true), ''), '1MB')) as result",
                {options.lease_time.empty() ? std::nullopt : std::optional(options.lease_time)});
            heartbeat_interval_ = std::chrono::milliseconds(static_cast<int64_t>(std::max(100.0, std::stod(settings.text(0, "beat")))));
            max_result_ = std::stoul(settings.text(0, "result"));
            std::vector<std::string> served;
            if (options.commands) served.emplace_back(":command");
            if (options.http) served.emplace_back(":http");
            for (const auto &[name, function] : handlers) served.push_back(name);
            if (options.notifications) served.emplace_back(notification_handler);
            for (const auto &[name, registered] : workflows) served.push_back(":code/" + name.first + "@" + name.second);
            register_code();
            connection_->query("select orch.worker_start($1, $2, $3, $4, $5::jsonb)",
                               {options.id, array_of(options.queues), array_of(served), ORCH_VERSION, options.metadata.dump()});
            connection_->enter_pipeline();
            break;
        } catch (const error &refused) {
            connection_.reset();
            if (first && (!refused.retryable() || clock::now() >= give_up || stops_ > 0)) throw;
            say(log_level::warning, "not connected: " + std::string(refused.what()) + ": " + refused.detail + "; trying again");
            if (!first) {
                reconnect_at_ = after_backoff();
                return;
            }
            std::this_thread::sleep_for(500ms);
        }
    }
    if (!first && !rested_ && options.observer) options.observer->reconnected();
    say(rested_ ? log_level::debug : log_level::info,
        (first ? "worker " : "connected again: worker ") + options.id + " serves " + std::to_string(options.concurrency) + " tasks at once");
    hungry_ = !(rested_ && look_first_);
    can_await_ = !options.pooled.value_or(false);
    asking_ = awaiting_ = woken_by_us_ = false;
    vain_rests_ = 0;
    const auto now = clock::now();
    lines_at_ = poll_at_ = heartbeat_at_ = now;
    check_leases_ = !std::exchange(rested_, false);
    if (check_leases_) last_work_ = now;
}

void worker::loop::lose_connection(const error &why)
{
    say(log_level::warning, std::string(why.what()) + ": " + why.detail + "; " + std::to_string(tasks_.size()) + " tasks go on, connecting again");
    // Nobody knows whether these were committed. The engine knows a settle that it has seen, so they are all sent again.
    for (auto sent = in_flight_.rbegin(); sent != in_flight_.rend(); ++sent) {
        if (sent->asked_for) {
            const std::lock_guard hold(requests_lock_);
            requests_.push_front(std::move(sent->asked_for));
        }
        for (auto result = sent->results.rbegin(); result != sent->results.rend(); ++result) finished_.push_front(std::move(*result));
    }
    in_flight_.clear();
    connection_.reset();
    reconnect_at_ = after_backoff();
}

void worker::loop::sleep()
{
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(next_ - clock::now()).count();
    pollfd watched[] = {{pool_.event(), POLLIN, 0}, {connection_ ? connection_->socket() : -1, POLLIN, 0}, {hints_ ? hints_->socket() : -1, POLLIN, 0}};
    if (hints_ && hints_->wants_write()) watched[2].events |= POLLOUT;
    if (connection_ && connection_->wants_write()) watched[1].events |= POLLOUT;
    ::poll(watched, 3, static_cast<int>(std::clamp<long>(left, 0, 3'600'000)));
    if (connection_ && (watched[1].revents & POLLOUT) != 0) connection_->flush();
}

void worker::loop::collect_finished()
{
    for (auto &ended : pool_.take_finished()) {
        note_end(*ended.first, ended.second);
        if (ended.second.fields.empty()) {  // a code run that is suspended, or somebody else's by now: there is nothing to settle
            tasks_.erase(ended.first->lease);
            continue;
        }
        const auto why = ended.first->interrupted();
        if (why == leased_task::reason::lost) {
            tasks_.erase(ended.first->lease);
            continue;
        }
        // Ended because this worker ends: given back by finish(), as if it had never been leased. A success counts all the same.
        if (why == leased_task::reason::draining && ended.second.is_failure()) continue;
        finished_.push_back(std::move(ended));
    }
}

void worker::loop::expire_deadlines(time now)
{
    for (const auto &[lease, work] : tasks_) {
        if (!work->deadline || work->executor == "command") continue;  // a command's thread keeps its own time
        if (now >= *work->deadline) work->interrupt(leased_task::reason::timed_out);
        else wake_at(*work->deadline);
    }
}

void worker::loop::begin_drain(time now)
{
    draining_ = true;
    drain_end_ = now + options.drain;
    if (connection_) heartbeat_at_ = now;  // its bytes end an await_work that sleeps
    say(log_level::info, "stopping: " + std::to_string(busy_) + " tasks may go on for " + std::to_string(options.drain.count() / 1000) + " s");
}

bool worker::loop::over(time now)
{
    if (options.until_idle && !draining_ && tasks_.empty() && (connection_ || resting()) && !asking_) {
        const auto last_work = std::max(last_work_, company->last_work.load());
        if (company->busy == 0 && now - last_work >= *options.until_idle) stop();
        wake_at(std::max(last_work, now - *options.until_idle + 100ms) + *options.until_idle);
    }
    if (!draining_) return false;
    if (busy_ == 0 && finished_.empty() && in_flight_.empty()) return true;
    wake_at(drain_end_);
    return now >= drain_end_ || stops_ > 1;
}

void worker::loop::finish()
{
    const auto pump_until = [&](time end, auto &&done) {
        while (!done() && clock::now() < end) {
            next_ = std::min(end, clock::now() + 100ms);
            try {
                if (connection_) send_requests();
                else give_up_requests();
                sleep();
                if (connection_) receive();
            } catch (const error &broken) {
                lose_connection(broken);
            }
            collect_finished();
        }
    };
    for (const auto &[lease, work] : tasks_) work->interrupt(leased_task::reason::draining);
    const bool at_once = stops_ > 1;
    if (at_once && guard_) guard_->kill_all();
    // First nothing runs here any more, then it may run elsewhere.
    pump_until(clock::now() + (at_once ? 1000ms : options.grace + 1000ms), [&] { return busy_ == 0; });
    give_up_requests();
    if (busy_ > 0) kept_alive_ = shared_from_this();
    if (!connection_ && hints_ && !at_once && tasks_.empty()) connect(false);  // it rested, and leaves with a word
    if (!connection_) return say(log_level::warning, "stopped without a connection: " + std::to_string(tasks_.size()) + " leases will expire");
    try {
        while (!finished_.empty()) settle(0);
        std::vector<std::string> unfinished;
        for (const auto &[lease, work] : tasks_)
            if (std::ranges::none_of(
                    in_flight_, [&](const auto &sent) { return std::ranges::any_of(sent.results, [&](const auto &result) { return result.first == work; }); }))
                unfinished.push_back(lease);
        if (!unfinished.empty()) release(unfinished);
        send({.kind = call::stop}, "select orch.worker_stop($1)", {options.id});
        pump_until(clock::now() + (at_once ? 1000ms : 5000ms), [&] { return in_flight_.empty() || !connection_; });
        say(log_level::info, "stopped, " + std::to_string(unfinished.size()) + " tasks given back");
    } catch (const error &broken) {
        say(log_level::warning, "stopped without a goodbye: " + std::string(broken.what()));
    }
}

}  // namespace orch
