#pragma once

#include "orch/connection.hpp"
#include "orch/error.hpp"
#include "orch/payloads.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace orch {

using json = nlohmann::json;

struct trigger_options {
    std::optional<std::string> idempotency_key{};  ///< The same key and input give the run that is there already.
    std::optional<int> priority{};
    std::optional<std::chrono::system_clock::time_point> run_at{};
    json tags = nullptr;
    std::optional<std::chrono::milliseconds> timeout{};  ///< Of the whole run.
    std::string traceparent{};
    std::optional<int> version{};
};

struct triggered_run {
    std::string run_id;
    bool created = true;  ///< False where the idempotency key found an earlier run.
    std::string state;    ///< Empty from trigger_many.
};

struct run_status {
    std::string run_id, workflow, state;
    json output, error, tags;
    [[nodiscard]] bool over() const { return state == "succeeded" || state == "failed" || state == "timed_out" || state == "cancelled"; }
};

struct run_event {
    int64_t position = 0;
    std::string task_id;  ///< Empty for what happened to the run itself.
    std::string kind, at, actor;
    json data;
};

/// Thrown by client::result for a run that did not succeed: the error of the run.
class run_error : public task_error {
public:
    run_error(const run_status &ended, const json &error);
    std::string run_id;
    std::string state;  ///< failed, timed_out or cancelled.
};

/// The events of one run, oldest first, read as the loop goes: `for (const auto &event : client.events(run))`.
class event_range {
public:
    class iterator {
    public:
        using value_type = run_event;
        using difference_type = std::ptrdiff_t;
        const run_event &operator*() const { return range_->page_[range_->at_]; }
        const run_event *operator->() const { return &**this; }
        iterator &operator++()
        {
            ++range_->at_;
            range_->fill();
            return *this;
        }
        void operator++(int) { ++*this; }
        bool operator==(std::default_sentinel_t) const { return range_->at_ >= range_->page_.size(); }

    private:
        friend class event_range;
        explicit iterator(event_range *range) : range_(range) {}
        event_range *range_;
    };
    [[nodiscard]] iterator begin()
    {
        fill();
        return iterator(this);
    }
    [[nodiscard]] std::default_sentinel_t end() const { return {}; }

private:
    friend class client;
    event_range(connection &database, std::string run, bool follow, int64_t after)
        : database_(&database), run_(std::move(run)), follow_(follow), position_(after)
    {
    }
    void fill();
    connection *database_;
    std::string run_;
    bool follow_, over_ = false;
    int64_t position_;
    std::vector<run_event> page_;
    size_t at_ = 0;
};

/// What an application asks of the engine: starts runs, sends signals, reads what came of them. One thread at a time. Every call throws orch::error.
///
/// Over a connection of the caller each call is part of the transaction that is open there, and counts when that commits: a run is triggered with the
/// order it belongs to, or not at all. Only `result`, `query`, `update` and following events wait for what others commit, and have no place in a transaction.
class client {
public:
    explicit client(const std::string &database = {});  ///< A connection of its own: a libpq URL or string; empty: the PG* environment.
    explicit client(connection &callers);               ///< It has to live as long as this.
    explicit client(pg_conn *callers);                  ///< A PGconn * of libpq, blocking and not in pipeline mode; it has to live as long as this.

    triggered_run trigger(const std::string &workflow, const json &input = json::object(), const trigger_options &options = {});
    /// All or none. With keys, one for each input.
    std::vector<triggered_run> trigger_many(const std::string &workflow, const std::vector<json> &inputs,
                                            const std::vector<std::string> &idempotency_keys = {});
    /// Waits until the run is over, and gives its output. Throws run_error where it did not succeed, orch::error 57014 at the timeout.
    json result(const std::string &run, std::chrono::milliseconds timeout = std::chrono::minutes(10));
    [[nodiscard]] run_status status(const std::string &run);
    /// Those behind position `after`; with `follow` until the run is over.
    [[nodiscard]] event_range events(const std::string &run, bool follow = false, int64_t after = 0);
    void signal(const std::string &run, const std::string &name, const json &payload = nullptr);
    /// Signals the run of that key, and starts it first where there is none. Returns its id.
    std::string signal_with_start(const std::string &workflow, const std::string &name, const json &payload, const json &input,
                                  const std::string &idempotency_key);
    /// Asks the code of a run, which may be over. Throws orch::error: OR041 what the code answered with an error (as JSON in `detail`), OR040 no answer in time.
    json query(const std::string &run, const std::string &name, const json &input = nullptr, std::chrono::milliseconds timeout = std::chrono::seconds(10));
    /// Tells the code of a run something and waits for its answer; the same id is the same update. Throws as `query` does. Neither has a place in a transaction.
    json update(const std::string &run, const std::string &name, const json &input = nullptr, const std::string &id = {},
                std::optional<std::chrono::milliseconds> timeout = std::nullopt);
    void approve(const std::string &run, const std::string &task, bool approved = true, const std::string &comment = {}, const json &form = nullptr);
    /// What a reference to a large value stands for, in a result say; any other value as it is.
    [[nodiscard]] json load(const json &value) const { return payloads ? payloads->load(value) : value; }
    std::string cancel(const std::string &run);  ///< Returns the new state.

    bool pooled =
        false;  ///< Behind a pooler that gives connections away between transactions: `result` and `update` look again and again. `pooled=1` in the URL sets it.

    std::shared_ptr<const orch::payloads> payloads;  ///< Where large inputs go, and what hides values; as the workers have it.

private:
    [[nodiscard]] std::string kept(const json &value) const { return (payloads ? payloads->encode(value, "inputs") : value).dump(); }
    [[nodiscard]] json given(std::optional<std::string_view> text) const;
    std::shared_ptr<connection> database_;
};

}  // namespace orch
