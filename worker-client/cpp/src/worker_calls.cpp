#include "loop.hpp"

#include <algorithm>
#include <utility>

namespace orch {
namespace {

using namespace std::chrono_literals;

constexpr size_t max_batch = 500;
constexpr size_t max_batch_bytes = size_t{8} << 20;
constexpr auto lines_interval = 300ms;
constexpr auto quick = 20ms;
constexpr int absences_of_lost = 3;

const std::string columns = "lease, run_id, task_id, attempt, executor, handler, spec, input, traceparent, idempotency_key, "
                            "extract(epoch from deadline_at - clock_timestamp()) as seconds_left";

}  // namespace

void worker::loop::send(statement sent, const std::string &sql, const parameters &values)
{
    if (awaiting_ && !std::exchange(woken_by_us_, true)) {
        nudge_delay_ = 1ms;
        nudge_at_ = clock::now() + nudge_delay_;
        wake_at(nudge_at_);
    }
    // Before it is sent: where that throws, lose_connection takes what it carries back.
    sent.at = clock::now();
    in_flight_.push_back(std::move(sent));
    connection_->send(sql, values);
}

void worker::loop::send_due(time now)
{
    if (woken_by_us_) {
        if (now >= nudge_at_) {
            connection_->nudge();
            nudge_at_ = now + (nudge_delay_ *= 2);
        }
        wake_at(nudge_at_);
    }
    send_requests();
    if (now >= lines_at_) {
        send_lines();
        lines_at_ = now + lines_interval;
    }
    if (!tasks_.empty()) wake_at(lines_at_);
    if (now >= heartbeat_at_ && (check_leases_ || draining_ || !tasks_.empty())) send_heartbeat();
    if (!tasks_.empty()) wake_at(heartbeat_at_);
    if (asking_) return;

    const int free = draining_ ? 0 : free_slots();
    if (!finished_.empty()) return settle(free);
    if (free == 0 || awaiting_) return;
    if (hungry_) return ask(free);
    if (may_rest(now)) return ask_for_rest();
    if (busy_ > 0 && now < await_at_) return wake_at(await_at_);
    if (can_await_ && fruitless_ < 5) {
        auto limit = options.until_idle;
        if (hints_ && tasks_.empty()) limit = std::max(1ms, std::chrono::ceil<std::chrono::milliseconds>(rest_at_ - now));
        if (!limit) send({.kind = call::await}, "call orch.await_work($1)", {options.id});
        else send({.kind = call::await}, "call orch.await_work($1, $2::interval)", {options.id, std::to_string(limit->count()) + " ms"});
        awaiting_ = true;
        return;
    }
    // It is not there, or does not sleep.
    if (now >= poll_at_) return ask(free);
    wake_at(poll_at_);
}

void worker::loop::ask(int free)
{
    asking_ = true;
    const bool timed = !options.lease_time.empty();
    parameters values{options.id, std::to_string(free)};
    if (timed) values.emplace_back(options.lease_time);
    send({.kind = call::lease, .asked = free}, "select " + columns + " from orch.lease($1, $2" + (timed ? ", $3::interval)" : ")"), values);
}

void worker::loop::settle(int free)
{
    const size_t most = one_by_one_ ? 1 : max_batch;
    // A late line would be refused: its lease is over with the result. All lines first, since a send that throws must find every result in its list.
    for (size_t i = 0; i < std::min(most, finished_.size()); ++i) send_lines_of(*finished_[i].first);
    statement sent{.kind = call::settle, .asked = free};
    std::string results = "[";
    while (!finished_.empty() && sent.results.size() < most && results.size() < max_batch_bytes) {
        auto &[work, ended] = finished_.front();
        results += (results.size() > 1 ? "," : "") + ("{\"lease\":" + json(work->lease).dump() + ",") + ended.fields + "}";
        sent.results.push_back(std::move(finished_.front()));
        finished_.pop_front();
    }
    results += "]";
    asking_ = true;
    if (free == 0) return send(std::move(sent), "select status, lease from orch.complete_many($1, $2::jsonb)", {options.id, std::move(results)});
    const bool timed = !options.lease_time.empty();
    parameters values{options.id, std::move(results), std::to_string(free)};
    if (timed) values.emplace_back(options.lease_time);
    send(std::move(sent), "select status, " + columns + " from orch.exchange($1, $2::jsonb, $3" + (timed ? ", $4::interval)" : ")"), values);
}

void worker::loop::send_lines()
{
    for (const auto &[lease, work] : tasks_) send_lines_of(*work);
}

void worker::loop::send_lines_of(leased_task &work)
{
    if (auto lines = work.take_lines(); !lines.empty())
        send({.kind = call::log, .lease = work.lease}, "select orch.log($1, $2::jsonb)", {work.lease, std::move(lines)});
}

void worker::loop::send_heartbeat()
{
    json details = json::object();
    const auto now = clock::now();
    for (const auto &[lease, work] : tasks_)
        if (const auto text = work->take_progress(now); !text.empty()) details[lease] = json::parse(text);
    if (details.empty()) send({.kind = call::heartbeat}, "select lease, status from orch.heartbeat($1)", {options.id});
    else send({.kind = call::heartbeat}, "select lease, status from orch.heartbeat($1, $2::jsonb)", {options.id, details.dump()});
    heartbeat_at_ = now + heartbeat_interval_;
    check_leases_ = false;
}

void worker::loop::release(const std::vector<std::string> &leases)
{
    std::string list = "{";
    for (const auto &lease : leases) list += (list.size() > 1 ? "," : "") + lease;
    send({.kind = call::release}, "select orch.release($1::text[])", {list + "}"});
}

void worker::loop::receive()
{
    // A rest that was answered takes the connection away.
    for (std::optional<connection::answer> answer; connection_ && (answer = connection_->receive());) {
        auto sent = std::move(in_flight_.front());
        in_flight_.pop_front();
        if (answer->failure) refused(std::move(sent), *answer->failure);
        else answered(sent, *answer);
    }
}

void worker::loop::answered(const statement &sent, const connection::answer &answer)
{
    switch (sent.kind) {
    case call::lease:
    case call::settle: return take_tasks(sent, answer.result);
    case call::heartbeat: return take_heartbeat(sent, answer.result);
    case call::await:
        awaiting_ = false;
        if (!woken_by_us_) {
            // There is work, or a task of ours was cancelled: the heartbeat tells which, and until it has, await_work would not sleep again.
            hungry_ = true;
            if (!tasks_.empty()) heartbeat_at_ = clock::now();
            fruitless_ = clock::now() - sent.at < quick ? fruitless_ + 1 : 0;
        }
        woken_by_us_ = false;
        break;
    case call::request:
        if (sent.asked_for) sent.asked_for->answer.set_value(answer.result);
        break;
    case call::rest: return take_rest(answer.result);
    case call::log:
    case call::release:
    case call::stop: break;
    }
}

void worker::loop::refused(statement sent, const error &why)
{
    const auto text = why.code + ": " + why.what() + (why.detail.empty() ? "" : ": " + why.detail);
    switch (sent.kind) {
    case call::settle: {
        asking_ = false;
        const bool data = why.code.starts_with("22") || why.code.starts_with("54");
        if (data && sent.results.size() == 1) {
            auto &[work, ended] = sent.results[0];
            say(log_level::error, "the result of task " + work->task_id + " cannot be stored (" + why.code + "): failing the attempt");
            ended = outcome::failure(error_json("validation", "invalid_output", "the output cannot be stored: " + std::string(why.what()), why.code));
        } else {
            say(log_level::warning, "settling failed: " + text + "; trying again");
        }
        // One result that cannot be stored must not keep its neighbours from being settled.
        one_by_one_ = data;
        for (auto result = sent.results.rbegin(); result != sent.results.rend(); ++result) finished_.push_front(std::move(*result));
        if (!data && !why.retryable()) throw error(why.code, why.what(), why.detail, why.hint, true);
        break;
    }
    case call::lease:
        asking_ = hungry_ = false;
        say(log_level::warning, "leasing failed: " + text);
        // Whatever it is (an extension that is being replaced, a right taken away), a new connection and its backoff are the answer.
        throw error(why.code, why.what(), why.detail, why.hint, true);
    case call::await:
        awaiting_ = woken_by_us_ = false;
        if (why.retryable()) {
            hungry_ = true;
        } else if (can_await_) {
            can_await_ = false;
            poll_at_ = clock::now();
            say(log_level::warning, "await_work is not to be had (" + text + "): polling");
        }
        break;
    case call::rest: return refuse_rest(why);
    case call::heartbeat: say(log_level::warning, "the heartbeat failed: " + text); break;
    case call::log:
        if (const auto found = tasks_.find(sent.lease); why.code == "OR010" && found != tasks_.end()) stop_task(*found->second, leased_task::reason::lost);
        else say(log_level::debug, "log lines were refused: " + text);
        break;
    case call::release: say(log_level::warning, "giving back failed: " + text); break;
    case call::request:
        if (sent.asked_for) sent.asked_for->answer.set_exception(std::make_exception_ptr(why));
        break;
    case call::stop: say(log_level::debug, "worker_stop failed: " + text); break;
    }
}

void worker::loop::take_tasks(const statement &sent, const rows &answer)
{
    asking_ = false;
    backoff_ = 100ms;
    one_by_one_ = one_by_one_ && !finished_.empty();
    for (const auto &[work, ended] : sent.results) tasks_.erase(work->lease);
    int leased = 0;
    std::vector<std::string> unwanted;
    for (int row = 0; row < answer.size(); ++row) {
        if (sent.kind == call::settle && answer.text(row, "status") != "leased") {
            refuse_result(sent, answer, row);
            continue;
        }
        ++leased;
        auto work = std::make_shared<leased_task>(answer, row);
        work->payloads = options.payloads;
        if (draining_) {
            unwanted.push_back(work->lease);
            continue;
        }
        if (tasks_.empty()) heartbeat_at_ = work->leased_at + heartbeat_interval_;
        tasks_.emplace(work->lease, work);
        note_start(*work);
        pool_.start(std::move(work));
    }
    if (!unwanted.empty()) release(unwanted);
    if (leased > 0) {
        last_work_ = clock::now();
        fruitless_ = vain_rests_ = 0;
        await_at_ = last_work_ + 1ms;
    }
    if (sent.asked > 0) hungry_ = leased == sent.asked;
    if (leased > 0) poll_pauses_.begin_anew();
    poll_at_ = clock::now() + poll_pauses_.next();
}

void worker::loop::refuse_result(const statement &sent, const rows &answer, int row)
{
    const auto lease = answer.text(row, "lease"), status = answer.text(row, "status");
    const auto found = std::ranges::find_if(sent.results, [&](const finished &result) { return result.first->lease == lease; });
    if (found == sent.results.end() || status == "ok" || status == "duplicate") return;
    const auto &[work, ended] = *found;
    say(log_level::warning, "the result of task " + work->task_id + " of run " + work->run_id + " was refused: " + status, work.get());
    if (options.observer) options.observer->refused(status);
    if (status != "too_large") return;
    // The lease is still ours, so the attempt can be failed in its place.
    auto failed = outcome::failure(
        error_json("validation", "too_large",
                   "the result of " + std::to_string(ended.fields.size()) + " bytes is over the limit of " + std::to_string(max_result_) + " bytes"));
    tasks_.emplace(lease, work);
    finished_.emplace_back(work, std::move(failed));
}

void worker::loop::stop_task(leased_task &work, leased_task::reason why)
{
    if (work.interrupted() == leased_task::reason::none)
        say(log_level::warning,
            "task " + work.task_id + " of run " + work.run_id + (why == leased_task::reason::lost ? " was given to another worker" : " is cancelled") +
                ": stopping it",
            &work);
    work.interrupt(why);
}

void worker::loop::take_heartbeat(const statement &sent, const rows &answer)
{
    // A lease that is lost is in the answer no more. But neither is one that a server which has just started has not read yet, so once is not enough.
    for (const auto &[lease, work] : tasks_)
        if (work->leased_at < sent.at) ++work->absences;
    std::vector<std::string> unknown;
    for (int row = 0; row < answer.size(); ++row) {
        const auto lease = answer.text(row, "lease"), status = answer.text(row, "status");
        const auto found = tasks_.find(lease);
        if (found != tasks_.end() && status != "lost") found->second->absences = 0;
        if (found != tasks_.end() && status == "cancel") stop_task(*found->second, leased_task::reason::cancelled);
        if (found == tasks_.end() && status == "ok") unknown.push_back(lease);
    }
    for (const auto &[lease, work] : tasks_)
        if (work->absences >= absences_of_lost) stop_task(*work, leased_task::reason::lost);

    const bool predecessor = std::exchange(new_process_, false);
    if (unknown.empty()) return;
    // Our heartbeats would keep them alive for ever. What a process of the same name held when it died has used up an attempt, or a task that kills its
    // worker would be tried for ever; what was leased in an answer that never came has not.
    say(log_level::warning, std::to_string(unknown.size()) + " leases of this worker are not known to it: giving them back");
    if (!predecessor) return release(unknown);
    json results = json::array();
    for (const auto &lease : unknown)
        results.push_back({{"lease", lease}, {"error", error_json("infrastructure", "worker_died", "the worker died and was started again")}});
    send({.kind = call::release}, "select status, lease from orch.complete_many($1, $2::jsonb)", {options.id, results.dump()});
}

}  // namespace orch
