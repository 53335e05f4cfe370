#include "loop.hpp"

#include <utility>

// A worker with nothing to do gives its connection up and waits for a hint in Redis. worker_rest looks once more and promises hints under one lock, so nothing that becomes ready
// in between is missed; what is missed nevertheless (a Redis that is flushed, a reader that dies) is found by the next look.

namespace orch {
namespace {

using namespace std::chrono_literals;

constexpr int vain_rests = 5;

}  // namespace

bool worker::loop::may_rest(time now)
{
    if (!hints_) return false;
    if (!tasks_.empty()) rest_at_ = now + options.redis_linger;
    return tasks_.empty() && finished_.empty() && !draining_ && in_flight_.empty() && now >= rest_at_;
}

void worker::loop::ask_for_rest()
{
    asking_ = true;
    const auto silence = hints_->longest_rest() + 3 * heartbeat_interval_;
    send({.kind = call::rest},
         "select rests, to_jsonb(streams) as streams, (1e6 * extract(epoch from at))::bigint as at from orch.worker_rest($1, $2::interval)",
         {options.id, std::to_string(std::min<int64_t>(silence.count(), 3'600'000)) + " ms"});
}

void worker::loop::take_rest(const rows &answer)
{
    asking_ = false;
    const auto now = clock::now();
    if (answer.text(0, "rests") != "t") {
        // There is work; where leasing does not get it, not for ever.
        hungry_ = true;
        if (++vain_rests_ >= vain_rests) rest_at_ = now + 1s;
        return;
    }
    vain_rests_ = 0;
    hints_->begin(json::parse(answer.text(0, "streams")).get<std::vector<std::string>>(), std::stoll(answer.text(0, "at")), now);
    connection_.reset();
    say(log_level::debug, "resting without a connection");
}

void worker::loop::refuse_rest(const error &why)
{
    asking_ = false;
    // Only an older server, or a missing right, stays as it is; of the rest a new connection and its backoff take care.
    if (why.code != "42883" && why.code != "42501") throw error(why.code, why.what(), why.detail, why.hint, true);
    say(log_level::warning, "worker_rest is not to be had (" + why.code + ": " + why.what() + "): keeping the connection");
    hints_.reset();
}

bool worker::loop::still_rests(time now)
{
    if (!resting()) return false;
    if (!draining_ && !hints_->pump(now)) {
        wake_at(hints_->next());
        return true;
    }
    hints_->end();
    rested_ = true;
    look_first_ = !hints_->hinted();  // worker_rest tells whether there is anything to lease
    reconnect_at_ = now;
    return false;
}

bool worker::loop::known_to_server()
{
    if (!hints_) return false;
    // A restart or a failover leaves a server that may not know us.
    auto started = connection_->query("select pg_postmaster_start_time()::text as at").text(0, "at");
    const bool known = rested_ && server_ == started;
    server_ = std::move(started);
    return known;
}

}  // namespace orch
