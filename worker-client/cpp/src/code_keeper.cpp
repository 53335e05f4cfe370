#include "code_run.hpp"
#include "loop.hpp"

#include <thread>

// The engine as the keeper of code runs: each call is a statement that the loop sends between its own.

namespace orch {
namespace {

using namespace std::chrono_literals;
using detail::recorded;

constexpr int max_tries = 6;

json json_at(const rows &answer, int row, const char *column)
{
    const auto text = answer.at(row, column);
    return text ? json::parse(*text) : json();
}

std::vector<recorded> rows_of(const rows &answer, bool with_definition)
{
    std::vector<recorded> list(static_cast<size_t>(answer.size()));
    for (int row = 0; row < answer.size(); ++row) {
        auto &one = list[static_cast<size_t>(row)];
        one.id = answer.text(row, "id");
        one.state = answer.text(row, "state");
        one.output = json_at(answer, row, "output");
        one.error = json_at(answer, row, "error");
        one.ended = std::stoll(answer.text(row, "ended"));
        if (!with_definition) continue;
        one.no = std::stoi(answer.text(row, "no"));
        one.definition = json_at(answer, row, "definition");
    }
    return list;
}

class engine_keeper : public detail::code_keeper {
public:
    engine_keeper(std::function<rows(std::string, parameters)> ask, const leased_task &work, size_t max_value)
        : ask_(std::move(ask)), work_(work), lease_(work.lease), max_value_(max_value)
    {
    }

    std::vector<recorded> history(int after) override
    {
        return decoded(call("select no, id, definition, state, output, error, coalesce(extract(epoch from ended_at) * 1000000, 0)::bigint as ended "
                            "from orch.history($1, $2, 1000)",
                            {lease_, std::to_string(after)}),
                       true);
    }
    void record(const json &entries) override { call("select orch.record($1, $2::jsonb)", {lease_, encoded(entries).dump()}); }
    bool suspend(const json &waits) override
    {
        return call("select orch.suspend($1, $2::jsonb) as answer", {lease_, with_encoded_steps(waits).dump()}).text(0, "answer") == "suspended";
    }
    std::vector<recorded> outcomes(const std::vector<std::string> &ids) override
    {
        return decoded(call("select id, state, output, error, coalesce(extract(epoch from ended_at) * 1000000, 0)::bigint as ended "
                            "from orch.outcomes($1, array(select jsonb_array_elements_text($2::jsonb)))",
                            {lease_, json(ids).dump()}),
                       false);
    }
    void park(const json &error) override { call("select orch.park($1, $2::jsonb)", {lease_, error.dump()}); }
    void continue_as_new(const json &input) override { call("select orch.continue_as_new($1, $2::jsonb)", {lease_, work_.kept(input).dump()}); }
    size_t max_value() const override { return max_value_; }

private:
    std::vector<recorded> decoded(const rows &answer, bool with_definition) const
    {
        auto list = rows_of(answer, with_definition);
        if (!work_.payloads) return list;
        for (auto &one : list) {
            one.output = work_.payloads->decode(std::move(one.output));
            one.error = work_.payloads->decode_error(std::move(one.error));
        }
        return list;
    }
    json encoded(json entries) const
    {
        if (!work_.payloads) return entries;
        for (auto &entry : entries) {
            for (const char *field : {"output", "input"})
                if (entry.contains(field)) entry[field] = work_.kept(std::move(entry[field]));
            if (entry.contains("error")) entry["error"] = work_.kept_error(std::move(entry["error"]));
        }
        return entries;
    }
    json with_encoded_steps(json waits) const
    {
        if (waits.contains("steps")) waits["steps"] = encoded(std::move(waits["steps"]));
        return waits;
    }
    rows call(const std::string &sql, const parameters &values)
    {
        for (int tries = 1;; ++tries) {
            try {
                return ask_(sql, values);
            } catch (const error &refused) {
                if (!refused.retryable() || tries == max_tries) throw;
                std::this_thread::sleep_for(50ms * (1 << tries));
            }
        }
    }

    std::function<rows(std::string, parameters)> ask_;
    const leased_task &work_;
    std::string lease_;
    size_t max_value_;
};

}  // namespace

rows worker::loop::ask_server(std::string sql, parameters values)
{
    auto asked = std::make_shared<request>(std::move(sql), std::move(values));
    auto answer = asked->answer.get_future();
    {
        const std::lock_guard hold(requests_lock_);
        if (no_more_requests_) throw detail::abandoned();
        requests_.push_back(std::move(asked));
    }
    pool_.wake();
    return answer.get();
}

void worker::loop::send_requests()
{
    std::deque<std::shared_ptr<request>> due;
    {
        const std::lock_guard hold(requests_lock_);
        due.swap(requests_);
    }
    while (!due.empty()) {
        const auto asked = std::move(due.front());
        due.pop_front();
        try {
            send({.kind = call::request, .asked_for = asked}, asked->sql, asked->values);
        } catch (...) {
            const std::lock_guard hold(requests_lock_);
            requests_.insert(requests_.begin(), due.begin(), due.end());
            throw;
        }
        // More will follow from the same code, and each would end await_work.
        await_at_ = clock::now() + 3ms;
    }
}

void worker::loop::give_up_requests()
{
    const std::lock_guard hold(requests_lock_);
    no_more_requests_ = true;
    const auto over = std::make_exception_ptr(detail::abandoned());
    for (const auto &asked : requests_) asked->answer.set_exception(over);
    requests_.clear();
    for (auto &sent : in_flight_)
        if (sent.asked_for) std::exchange(sent.asked_for, {})->answer.set_exception(over);
}

void worker::loop::register_code()
{
    for (const auto &[name, registered] : workflows)
        connection_->query("select orch.register_code($1, $2, $3::jsonb)", {name.first, name.second, registered.second.more.dump()});
}

outcome worker::loop::run_code(leased_task &work)
{
    const auto code = json::parse(work.spec).value("code", json::object());
    const auto found = workflows.find({code.value("workflow", work.handler), code.value("version", "1")});
    if (found == workflows.end())
        return outcome::failure(
            error_json("infrastructure", "not_served", "this worker does not serve version " + code.value("version", "1") + " of " + work.handler));
    engine_keeper engine([this](std::string sql, parameters values) { return ask_server(std::move(sql), std::move(values)); }, work, max_result_);
    return detail::code_run(work, engine, found->second.first, found->first.first, found->first.second).run().value_or(outcome{});
}

}  // namespace orch
