#include "code_run.hpp"
#include "executors.hpp"
#include "orch/testing.hpp"

#include <algorithm>
#include <map>

namespace orch {
namespace {

using clock_time = std::chrono::system_clock::time_point;
using detail::recorded;

int64_t micros_of(clock_time time) { return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count(); }

clock_time time_of(const std::string &utc)
{
    std::tm parts{};
    const char *rest = strptime(utc.c_str(), "%FT%T", &parts);
    const double fraction = rest && *rest == '.' ? std::stod(rest) : 0;
    return std::chrono::system_clock::from_time_t(timegm(&parts)) + std::chrono::microseconds(static_cast<int64_t>(fraction * 1e6));
}

json answer_of(const json &fields)
{
    if (!fields.contains("error")) return fields["output"];
    const auto &error = fields["error"];
    throw task_error(error.value("class", "unknown"), error.value("code", ""), error.value("message", ""), error.value("detail", ""));
}

/// Thrown where a replay of a recorded history has come to its end.
struct history_ends {};

/// Keeps nothing: what the code asks for beyond its history ends the replay.
class read_only_keeper : public detail::code_keeper {
public:
    explicit read_only_keeper(std::vector<recorded> rows) : rows_(std::move(rows)) {}
    std::vector<recorded> history(int after) override { return after == 0 ? rows_ : std::vector<recorded>(); }
    void record(const json &) override { throw history_ends(); }
    bool suspend(const json &) override { throw history_ends(); }
    std::vector<recorded> outcomes(const std::vector<std::string> &) override { return {}; }
    std::vector<detail::update_asked> updates() override { return {}; }
    void park(const json &error) override { throw non_deterministic(error.value("message", "")); }
    void continue_as_new(const json &) override { throw history_ends(); }
    void before_steps() override { throw history_ends(); }

private:
    std::vector<recorded> rows_;
};

}  // namespace

struct test_environment::state_ {
    struct signal_sent {
        std::string name;
        json payload;
    };
    struct run {
        std::string id, workflow, version, state = "running", continued_as, parent, parent_step;
        json input, output, error, tags = json::object(), waits;
        std::vector<recorded> rows;
        std::map<int, clock_time> due;              // timers, timeouts of signals and retries of handlers, by row
        std::map<int, int> attempts;                // of handlers
        std::vector<signal_sent> signals;           // that nobody has taken
        std::vector<detail::update_asked> updates;  // the same
        std::vector<std::string> lines;
        int replays = 0;
        leased_task *working = nullptr;  // while its code runs
    };
    class keeper;

    std::map<std::pair<std::string, std::string>, workflow_function> workflows;
    std::map<std::string, std::string> newest;
    std::map<std::string, handler_function> handlers;
    std::map<std::string, std::function<json(task_context &, json)>> mocks;
    std::map<std::string, detail::in_place> mocks_in_place;
    std::map<std::string, run> runs;
    clock_time now = time_of("2026-01-01T00:00:00Z");
    int64_t ticks = 0;  // so that no two things end at the same time

    std::string start(const std::string &workflow, json input, const std::string &parent = {}, const std::string &step = {});
    void go_on(run &one);
    void begin_row(run &one, size_t at);
    void end_row(run &one, int no, const std::string &state, json output, json error = nullptr);
    void run_handler_of(run &one, int no);
    void fire(run &one, int no);
    void take_signals(run &one);
    void over(run &one);
    [[nodiscard]] bool awaited(const run &one) const;
    [[nodiscard]] run &at(const std::string &id)
    {
        const auto found = runs.find(id);
        if (found == runs.end()) throw std::out_of_range("there is no run " + id);
        return found->second;
    }
};

class test_environment::state_::keeper : public detail::code_keeper {
public:
    keeper(state_ &all, run &one) : all_(all), one_(one) {}
    std::vector<recorded> history(int after) override
    {
        return {one_.rows.begin() + after, one_.rows.begin() + std::min<ptrdiff_t>(after + 1000, std::ssize(one_.rows))};
    }
    void record(const json &entries) override
    {
        for (const auto &entry : entries) {
            recorded row{.no = static_cast<int>(one_.rows.size()) + 1, .id = entry.at("id"), .definition = entry, .state = "ready", .output = {}, .error = {}};
            const bool given = entry.contains("output") || entry.contains("error") || entry.contains("tags");
            if (given) {
                row.state = entry.contains("error") ? "failed" : "succeeded";
                row.output = entry.value("output", json());
                row.error = entry.value("error", json());
                row.ended = micros_of(all_.now) + ++all_.ticks;
                if (entry.contains("tags")) one_.tags.update(entry["tags"]);
                else row.definition["step"] = true;
            }
            if (entry.contains("update")) std::erase_if(one_.updates, [&](const auto &asked) { return entry["update"] == asked.id; });
            for (const char *key : {"id", "output", "error"}) row.definition.erase(key);
            one_.rows.push_back(std::move(row));
            if (!given) all_.begin_row(one_, one_.rows.size() - 1);
        }
    }
    bool suspend(const json &waits) override
    {
        if (waits.contains("steps")) record(waits["steps"]);
        one_.waits = waits;
        if (all_.awaited(one_) || !one_.updates.empty()) return false;
        one_.state = "waiting";
        return true;
    }
    std::vector<recorded> outcomes(const std::vector<std::string> &ids) override
    {
        std::vector<recorded> ended;
        for (const auto &row : one_.rows)
            if (detail::is_final(row.state) && std::ranges::find(ids, row.id) != ids.end()) ended.push_back(row);
        std::ranges::stable_sort(ended, {}, &recorded::ended);
        return ended;
    }
    std::vector<detail::update_asked> updates() override { return one_.updates; }
    void park(const json &error) override
    {
        one_.state = "parked";
        one_.error = error;
    }
    void continue_as_new(const json &input) override
    {
        one_.continued_as = all_.start(one_.workflow, input, one_.parent, one_.parent_step);
        auto &next = all_.at(one_.continued_as);
        std::ranges::move(one_.signals, std::back_inserter(next.signals));
        one_.signals.clear();
        one_.output = {{"continued_as", one_.continued_as}};
        one_.state = "succeeded";
        all_.take_signals(next);
    }
    clock_time now() override { return all_.now; }
    const detail::in_place *mocked(const std::string &name) const override
    {
        const auto found = all_.mocks_in_place.find(name);
        return found == all_.mocks_in_place.end() ? nullptr : &found->second;
    }
    std::chrono::milliseconds longest_sleep() const override { return std::chrono::milliseconds(0); }

private:
    state_ &all_;
    run &one_;
};

std::string test_environment::state_::start(const std::string &workflow, json input, const std::string &parent, const std::string &step)
{
    const auto version = newest.find(workflow);
    if (version == newest.end()) throw task_error("validation", "unknown_workflow", "there is no workflow " + workflow);
    char id[48];
    snprintf(id, sizeof id, "00000000-0000-4000-8000-%012zu", runs.size() + 1);
    auto &made = runs[id];
    made.id = id;
    made.workflow = workflow;
    made.version = version->second;
    made.input = std::move(input);
    made.parent = parent;
    made.parent_step = step;
    go_on(made);
    return id;
}

void test_environment::state_::go_on(run &one)
{
    one.state = "running";
    ++one.replays;
    leased_task work;
    work.run_id = one.id;
    work.task_id = "main";
    work.input = one.input.dump();
    one.working = &work;
    keeper keeps(*this, one);
    const auto found = workflows.find({one.workflow, one.version});
    auto settled = detail::code_run(work, keeps, found->second, one.workflow, one.version).run();
    one.working = nullptr;
    if (auto lines = work.take_lines(); !lines.empty())
        for (const auto &line : json::parse(lines)) one.lines.push_back(line["line"]);
    if (!settled) {
        if (one.state == "succeeded") over(one);
        return;
    }
    const auto fields = json::parse("{" + settled->fields + "}");
    one.output = fields.value("output", json());
    one.error = fields.value("error", json());
    one.state = !fields.contains("error") ? "succeeded" : one.error.value("class", "") == "cancelled" ? "cancelled" : "failed";
    over(one);
}

void test_environment::state_::over(run &one)
{
    one.due.clear();
    for (auto &row : one.rows)
        if (!detail::is_final(row.state)) row.state = "cancelled";
    if (one.parent.empty() || !one.continued_as.empty()) return;
    auto &parent = at(one.parent);
    for (const auto &row : parent.rows)
        if (row.id == one.parent_step && !detail::is_final(row.state)) return end_row(parent, row.no, one.state, one.output, one.error);
}

bool test_environment::state_::awaited(const run &one) const
{
    const auto ended = [&](const json &id) {
        return std::ranges::any_of(one.rows, [&](const recorded &row) { return id == row.id && detail::is_final(row.state); });
    };
    return one.waits.contains("all") ? std::ranges::all_of(one.waits["all"], ended) : std::ranges::any_of(one.waits["any"], ended);
}

void test_environment::state_::begin_row(run &one, size_t at)
{
    const auto definition = one.rows[at].definition;
    const int no = one.rows[at].no;
    const auto after = [&](double seconds) { return now + std::chrono::microseconds(static_cast<int64_t>(seconds * 1e6)); };
    if (definition.contains("sleep")) one.due[no] = after(definition["sleep"].get<double>());
    else if (definition.contains("until")) one.due[no] = time_of(definition["until"]);
    else if (definition.contains("signal")) {
        if (definition.contains("timeout_seconds")) one.due[no] = after(definition["timeout_seconds"].get<double>());
        take_signals(one);
    } else if (definition.contains("workflow")) {
        const auto id = one.id, step = one.rows[at].id;
        try {
            const auto child = start(definition["workflow"]["id"], definition.value("input", json::object()), id, step);
            if (!definition["workflow"].value("wait", true)) end_row(one, no, "succeeded", {{"run_id", child}});
        } catch (const task_error &refused) {
            end_row(one, no, "failed", nullptr, error_json(refused.error_class, refused.code, refused.what()));
        }
    } else {
        one.due[no] = now;  // a handler runs when the code has come to rest
    }
    if (one.due.contains(no) && one.due[no] < now) one.due[no] = now;
}

void test_environment::state_::take_signals(run &one)
{
    for (size_t at = 0; at < one.rows.size(); ++at) {
        if (detail::is_final(one.rows[at].state) || !one.rows[at].definition.contains("signal")) continue;
        const auto found = std::ranges::find(one.signals, one.rows[at].definition["signal"]["name"].get<std::string>(), &signal_sent::name);
        if (found == one.signals.end()) continue;
        const auto payload = found->payload;
        one.signals.erase(found);
        end_row(one, one.rows[at].no, "succeeded", payload);
    }
}

void test_environment::state_::end_row(run &one, int no, const std::string &state, json output, json error)
{
    auto &row = one.rows[static_cast<size_t>(no - 1)];
    row.state = state;
    row.output = std::move(output);
    row.error = std::move(error);
    row.ended = micros_of(now) + ++ticks;
    one.due.erase(no);
    if (one.state == "waiting" && awaited(one)) go_on(one);
}

void test_environment::state_::run_handler_of(run &one, int no)
{
    const auto row = one.rows[static_cast<size_t>(no - 1)];
    const auto name = row.definition.value("handler", row.id.substr(0, row.id.rfind('#')));
    leased_task work;
    work.run_id = one.id;
    work.task_id = row.id;
    work.attempt = ++one.attempts[no];
    work.idempotency_key = one.id + ":" + row.id;
    work.input = row.definition.value("input", json()).dump();
    const auto mock = mocks.find(name);
    const auto real = handlers.find(name);
    if (mock == mocks.end() && real == handlers.end()) throw std::logic_error("no handler and no mock for " + name);
    const auto settled = run_handler(work, mock != mocks.end() ? handler_function(mock->second) : real->second);
    if (auto lines = work.take_lines(); !lines.empty())
        for (const auto &line : json::parse(lines)) one.lines.push_back(line["line"]);
    const auto fields = json::parse("{" + settled.fields + "}");
    if (fields.contains("output")) return end_row(one, no, "succeeded", fields["output"]);
    const auto kind = fields["error"].value("class", "");
    if (kind == "validation" || kind == "cancelled" || work.attempt > row.definition.value("retries", 2))
        return end_row(one, no, "failed", nullptr, fields["error"]);
    one.due[no] = now + std::chrono::milliseconds(static_cast<int64_t>(1000 * row.definition.value("retry_delay_seconds", 1.0)) << (work.attempt - 1));
}

void test_environment::state_::fire(run &one, int no)
{
    const auto &definition = one.rows[static_cast<size_t>(no - 1)].definition;
    if (definition.contains("sleep") || definition.contains("until")) end_row(one, no, "succeeded", json::object());
    else if (definition.contains("signal")) end_row(one, no, "timed_out", nullptr, error_json("timeout", "timeout", "the signal did not come in time"));
    else run_handler_of(one, no);
}

test_environment::test_environment() : all_(std::make_unique<state_>()) {}
test_environment::~test_environment() = default;

void test_environment::workflow(const std::string &name, workflow_function function, const std::string &version)
{
    all_->newest[name] = version;
    all_->workflows.insert_or_assign({name, version}, std::move(function));
    // As a worker that registers it: parked runs of the workflow try again.
    for (auto &[id, one] : all_->runs)
        if (one.state == "parked" && one.workflow == name) all_->go_on(one);
}

void test_environment::handler(std::string name, handler_function function) { all_->handlers.insert_or_assign(std::move(name), std::move(function)); }

void test_environment::mock(std::string step, std::function<json(task_context &, json)> function)
{
    all_->mocks_in_place.insert_or_assign(step, [function](task_context &task) { return function(task, nullptr); });
    all_->mocks.insert_or_assign(std::move(step), std::move(function));
}

std::string test_environment::start(const std::string &workflow, json input)
{
    auto id = all_->start(workflow, std::move(input));
    advance(std::chrono::milliseconds(0));
    return id;
}

void test_environment::signal(const std::string &run, const std::string &name, json payload)
{
    auto &one = all_->at(run);
    if (detail::is_final(one.state)) throw orch::error("OR020", "run " + run + " is over: " + one.state);
    one.signals.push_back({name, std::move(payload)});
    all_->take_signals(one);
    advance(std::chrono::milliseconds(0));
}

json test_environment::query(const std::string &run, const std::string &name, const json &input)
{
    auto &one = all_->at(run);
    leased_task work;
    work.run_id = one.id;
    work.task_id = "query";
    work.input = one.input.dump();
    state_::keeper keeps(*all_, one);
    const auto found = all_->workflows.find({one.workflow, one.version});
    return answer_of(json::parse("{" + detail::code_run(work, keeps, found->second, one.workflow, one.version).answer(name, input).fields + "}"));
}

std::optional<json> test_environment::update(const std::string &run, const std::string &name, const json &input, const std::string &id)
{
    auto &one = all_->at(run);
    const auto said = [&](const std::string &entry) { return std::ranges::find(one.rows, entry + id, &recorded::id); };
    if (said("update:") == one.rows.end()) {
        if (detail::is_final(one.state)) throw orch::error("OR020", "run " + run + " is over: " + one.state);
        one.updates.push_back({id, name, input});
        if (one.state == "waiting") all_->go_on(one);
        advance(std::chrono::milliseconds(0));
    }
    for (const char *entry : {"update:", "answer:"})
        if (const auto row = said(entry); row != one.rows.end() && row->state == "failed") return answer_of({{"error", row->error}});
    const auto answer = said("answer:");
    return answer == one.rows.end() ? std::nullopt : std::optional(answer->output);
}

void test_environment::cancel(const std::string &run)
{
    auto &one = all_->at(run);
    if (detail::is_final(one.state)) return;
    if (one.working) return one.working->interrupt(leased_task::reason::cancelled);
    one.state = "cancelled";
    one.error = error_json("cancelled", "cancelled", "the run was cancelled");
    all_->over(one);
}

void test_environment::advance(std::chrono::milliseconds duration)
{
    const auto end = all_->now + duration;
    for (;;) {
        state_::run *first = nullptr;
        int no = 0;
        for (auto &[id, one] : all_->runs)
            for (const auto &[row, due] : one.due)
                if (due <= end && (!first || due < first->due[no])) first = &one, no = row;
        if (!first) break;
        all_->now = std::max(all_->now, first->due[no]);
        all_->fire(*first, no);
    }
    all_->now = end;
}

void test_environment::run_timers(const std::string &run)
{
    while (!detail::is_final(all_->at(run).state)) {
        std::optional<clock_time> next;
        for (const auto &[id, one] : all_->runs)
            for (const auto &[row, due] : one.due) next = std::min(next.value_or(due), due);
        if (!next) return;
        advance(std::chrono::ceil<std::chrono::milliseconds>(*next - all_->now));
    }
}

clock_time test_environment::now() const { return all_->now; }
std::string test_environment::state(const std::string &run) const { return all_->at(run).state; }
json test_environment::error(const std::string &run) const { return all_->at(run).error; }
json test_environment::tags(const std::string &run) const { return all_->at(run).tags; }
std::vector<std::string> test_environment::lines(const std::string &run) const { return all_->at(run).lines; }
std::string test_environment::continued_as(const std::string &run) const { return all_->at(run).continued_as; }
int test_environment::replays(const std::string &run) const { return all_->at(run).replays; }

json test_environment::result(const std::string &run) const
{
    const auto &one = all_->at(run);
    if (!detail::is_final(one.state)) throw std::logic_error("run " + run + " is " + one.state);
    if (one.state != "succeeded") throw step_error(run, one.state, one.error.is_object() ? one.error : json::object());
    return one.output;
}

json test_environment::history(const std::string &run) const
{
    json rows = json::array();
    for (const auto &row : all_->at(run).rows)
        rows.push_back({{"no", row.no},
                        {"id", row.id},
                        {"definition", row.definition},
                        {"state", row.state},
                        {"output", row.output},
                        {"error", row.error},
                        {"ended_at", row.ended == 0 ? json() : json(row.ended)}});
    return rows;
}

std::optional<json> test_environment::replay(const workflow_function &function, const json &history, const json &input)
{
    std::vector<recorded> rows;
    for (const auto &row : history) {
        recorded one{.no = row.at("no"),
                     .id = row.at("id"),
                     .definition = row.at("definition"),
                     .state = row.at("state"),
                     .output = row.value("output", json()),
                     .error = row.value("error", json())};
        if (const auto ended = row.value("ended_at", json()); ended.is_number()) one.ended = ended;
        else if (ended.is_string()) one.ended = micros_of(time_of(ended));
        rows.push_back(std::move(one));
    }
    read_only_keeper keeps(std::move(rows));
    leased_task work;
    work.input = input.dump();
    try {
        const auto settled = detail::code_run(work, keeps, function, "", "").run();
        if (!settled) return std::nullopt;
        const auto fields = json::parse("{" + settled->fields + "}");
        if (fields.contains("error")) throw step_error("main", "failed", fields["error"]);
        return fields["output"];
    } catch (const history_ends &) {
        return std::nullopt;
    }
}

}  // namespace orch
