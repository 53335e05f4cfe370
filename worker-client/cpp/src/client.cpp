#include "orch/client.hpp"

#include "orch/pooler.hpp"

#include <thread>

namespace orch {
namespace {

using namespace std::chrono_literals;

constexpr size_t events_page = 1000;

std::optional<std::string> interval_of(std::optional<std::chrono::milliseconds> duration)
{
    return duration ? std::optional(std::to_string(duration->count()) + " ms") : std::nullopt;
}

std::optional<std::string> unless_empty(const std::string &text) { return text.empty() ? std::nullopt : std::optional(text); }

json json_of(std::optional<std::string_view> text) { return text ? json::parse(*text) : json(); }

}  // namespace

run_error::run_error(const run_status &ended, const json &error)
    : task_error(error.value("class", "unknown"), error.value("code", ended.state), error.value("message", "run " + ended.run_id + " " + ended.state),
                 error.value("detail", "")),
      run_id(ended.run_id), state(ended.state)
{
}

client::client(const std::string &database) : pooled(database_url(database).pooled.value_or(false)), database_(std::make_shared<connection>(database)) {}
client::client(connection &callers) : database_(&callers, [](connection *) {}) {}
client::client(pg_conn *callers) : database_(std::make_shared<connection>(callers)) {}

json client::given(std::optional<std::string_view> text) const
{
    auto value = json_of(text);
    return payloads ? payloads->decode(std::move(value)) : value;
}

triggered_run client::trigger(const std::string &workflow, const json &input, const trigger_options &options)
{
    std::optional<std::string> run_at;
    if (options.run_at) run_at = std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(options.run_at->time_since_epoch()).count());
    const auto made =
        database_->query("select run_id, created, state from orch.trigger_run($1, $2::jsonb, $3, $4::int, to_timestamp($5::bigint / 1000000.0), $6::jsonb, "
                         "$7::interval, $8, 'api', $9::int)",
                         {workflow, kept(input), options.idempotency_key, options.priority ? std::optional(std::to_string(*options.priority)) : std::nullopt,
                          run_at, options.tags.is_null() ? std::nullopt : std::optional(options.tags.dump()), interval_of(options.timeout),
                          unless_empty(options.traceparent), options.version ? std::optional(std::to_string(*options.version)) : std::nullopt});
    return {made.text(0, "run_id"), made.text(0, "created") == "t", made.text(0, "state")};
}

std::vector<triggered_run> client::trigger_many(const std::string &workflow, const std::vector<json> &inputs, const std::vector<std::string> &idempotency_keys)
{
    json all = json::array();
    for (const auto &input : inputs) all.push_back(json::parse(kept(input)));
    const auto made = database_->query("select run_id, created from orch.trigger_many($1, array(select jsonb_array_elements($2::jsonb)), "
                                       "case when $3::jsonb is not null then array(select jsonb_array_elements_text($3::jsonb)) end) order by position",
                                       {workflow, all.dump(), idempotency_keys.empty() ? std::nullopt : std::optional(json(idempotency_keys).dump())});
    std::vector<triggered_run> runs;
    for (int row = 0; row < made.size(); ++row) runs.push_back({made.text(row, "run_id"), made.text(row, "created") == "t", ""});
    return runs;
}

run_status client::status(const std::string &run)
{
    const auto found = database_->query("select run_id, workflow, state, output, error, tags from orch.runs where run_id = $1", {run});
    if (found.size() == 0) throw orch::error("OR003", "there is no run \"" + run + "\"");
    return {found.text(0, "run_id"),
            found.text(0, "workflow"),
            found.text(0, "state"),
            given(found.at(0, "output")),
            payloads ? payloads->decode_error(json_of(found.at(0, "error"))) : json_of(found.at(0, "error")),
            json_of(found.at(0, "tags"))};
}

json client::result(const std::string &run, std::chrono::milliseconds timeout)
{
    const auto end = std::chrono::steady_clock::now() + timeout;
    for (pauses between;;) {
        const auto now = status(run);
        if (now.state == "succeeded") return given(database_->query("select orch.result($1) as output", {run}).at(0, "output"));
        if (now.over()) throw run_error(now, now.error.is_object() ? now.error : json::object());
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
        if (left <= 0ms) throw orch::error("57014", "run " + run + " is " + now.state + " after " + std::to_string(timeout.count()) + " ms");
        if (pooled) std::this_thread::sleep_for(std::min(left, between.next()));
        else database_->query("call orch.await_run($1, $2::interval)", {run, interval_of(left)});
    }
}

event_range client::events(const std::string &run, bool follow, int64_t after) { return {*database_, run, follow, after}; }

void event_range::fill()
{
    if (at_ < page_.size()) return;
    page_.clear();
    at_ = 0;
    while (!over_) {
        // Whether it is over is read before the events, so that the last of them is not missed.
        const bool ended = !follow_ || database_->query("select from orch.runs where run_id = $1 and finished_at is not null", {run_}).size() > 0;
        const auto read = database_->query("select pos, task_id, kind, at, actor, data from orch.events_after($1, $2, $3)",
                                           {std::to_string(position_), std::to_string(events_page), run_});
        for (int row = 0; row < read.size(); ++row) {
            position_ = std::stoll(read.text(row, "pos"));
            page_.push_back(
                {position_, read.text(row, "task_id"), read.text(row, "kind"), read.text(row, "at"), read.text(row, "actor"), json_of(read.at(row, "data"))});
        }
        over_ = ended && page_.size() < events_page;
        if (!page_.empty()) return;
        if (!over_) std::this_thread::sleep_for(200ms);
    }
}

void client::signal(const std::string &run, const std::string &name, const json &payload)
{
    database_->query("select orch.signal($1, $2, $3::jsonb)", {run, name, kept(payload)});
}

std::string client::signal_with_start(const std::string &workflow, const std::string &name, const json &payload, const json &input,
                                      const std::string &idempotency_key)
{
    return database_
        ->query("select orch.signal_with_start($1, $2, $3::jsonb, $4::jsonb, $5) as run", {workflow, name, kept(payload), kept(input), idempotency_key})
        .text(0, "run");
}

json client::query(const std::string &run, const std::string &name, const json &input, std::chrono::milliseconds timeout)
{
    return given(database_->query("call orch.query($1, $2, $3::jsonb, $4::interval)", {run, name, kept(input), interval_of(timeout)}).at(0, "answer"));
}

json client::update(const std::string &run, const std::string &name, const json &input, const std::string &id, std::optional<std::chrono::milliseconds> timeout)
{
    const auto sent = database_->query("select orch.update($1, $2, $3::jsonb, $4) as id", {run, name, kept(input), unless_empty(id)});
    const auto look = [&](auto time) {
        return given(database_->query("call orch.await_update($1, $2, $3::interval)", {run, sent.text(0, "id"), interval_of(time)}).at(0, "answer"));
    };
    const auto begun = std::chrono::steady_clock::now();
    for (pauses between; pooled;) {
        try {
            return look(0ms);
        } catch (const orch::error &open) {
            if (open.code != "OR040" || (timeout && std::chrono::steady_clock::now() >= begun + *timeout)) throw;
        }
        std::this_thread::sleep_for(between.next());
    }
    return look(timeout);
}

void client::approve(const std::string &run, const std::string &task, bool approved, const std::string &comment, const json &form)
{
    database_->query("select orch.approve($1, $2, $3::boolean, $4, $5::jsonb)",
                     {run, task, approved ? "true" : "false", unless_empty(comment), form.is_null() ? std::nullopt : std::optional(form.dump())});
}

std::string client::cancel(const std::string &run) { return database_->query("select orch.cancel($1) as state", {run}).text(0, "state"); }

}  // namespace orch
