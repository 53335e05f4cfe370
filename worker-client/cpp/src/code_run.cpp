#include "code_run.hpp"

#include "executors.hpp"

#include <array>
#include <ranges>

namespace orch::detail {
namespace {

using namespace std::chrono_literals;

constexpr size_t page = 1000;

constexpr std::array executors{"handler", "command", "http", "callable", "sql", "sleep", "until", "signal", "workflow", "approval", "noop", "decision"};

std::string_view executor_of(const json &definition)
{
    const auto found = std::ranges::find_if(executors, [&](const char *name) { return definition.contains(name); });
    return found == executors.end() ? std::string_view() : *found;
}

/// What must be the same in the history and in the code: the kind, and whom it goes to. How long a wait is may change.
std::string target_of(const json &definition)
{
    const auto executor = executor_of(definition);
    if (executor.empty()) return definition.contains("tags") ? "a tag" : "a step in place";
    if (executor == "sleep" || executor == "until") return "a wait";
    const auto &what = definition.at(std::string(executor));
    if (executor == "signal" && what.is_object()) return "the signal " + what.value("name", "");
    if (executor == "workflow" && what.is_object()) return "the workflow " + what.value("id", "");
    return "the " + std::string(executor) + " " + (what.is_string() ? what.get<std::string>() : what.dump());
}

template <class Known>
task_error not_there(const std::string &kind, const std::string &name, const Known &known)
{
    std::string names;
    for (const auto &[other, function] : known) names += (names.empty() ? "" : ", ") + other;
    return {"validation", "unknown_" + kind, "there is no " + kind + " \"" + name + "\"; there are: " + (names.empty() ? "none" : names)};
}

outcome for_good(outcome failed)
{
    failed.fields += ",\"retry\":false";
    return failed;
}

}  // namespace

void begin_wait(waiter &who, std::span<const std::shared_ptr<op>> ops)
{
    for (const auto &one : ops)
        if (!one->final) one->waiters.push_back(&who);
}

void end_wait(waiter &who, std::span<const std::shared_ptr<op>> ops)
{
    for (const auto &one : ops) std::erase(one->waiters, &who);
}

code_run::code_run(leased_task &work, code_keeper &keeper, const workflow_function &function, std::string workflow, std::string version)
    : work_(work), keeper_(keeper), function_(function), context_(*this), stop_steps_(work.stop, [this] { steps_stop_.request_stop(); })
{
    context_.run_id = work.run_id;
    context_.workflow = std::move(workflow);
    context_.version = std::move(version);
    context_.attempt = work.attempt;
    context_.input = work.given();
}

code_run::~code_run()
{
    steps_stop_.request_stop();
    undo_stop_.request_stop();
    for (auto &[step, thread] : threads_) thread.join();
    for (const auto frame : branches_ | std::views::reverse) frame.destroy();
}

void code_run::start()
{
    load();
    root_ = begin_branch([](code_run &self) -> orch::task<json> { co_return co_await self.function_(self.context_, self.context_.input); }(*this));
    replay();
}

std::optional<outcome> code_run::run()
{
    try {
        start();
        live();
        if (!root_->final) return std::nullopt;
        if (!entries_.empty()) flush();
        return ended();
    } catch (const abandoned &) {
        return std::nullopt;
    } catch (const non_deterministic &difference) {
        keeper_.park(error_json("validation", "non_deterministic", difference.what(), "workflow " + context_.workflow + ", version " + context_.version));
        return std::nullopt;
    } catch (const task_error &) {
        return for_good(outcome::failure(thrown_error()));
    } catch (const error &refused) {
        if (refused.code == "OR010" || refused.code == "OR012") return std::nullopt;
        return outcome::failure(error_json(class_of_sqlstate(refused.code), refused.code, refused.what(), refused.detail));
    }
}

outcome code_run::answer(const std::string &name, const json &input)
{
    asking_ = true;
    try {
        start();
        const auto query = queries_.find(name);
        if (query == queries_.end()) throw not_there("query", name, queries_);
        return outcome::success(work_.kept(query->second(input)));
    } catch (const abandoned &) {
        return for_good(ended_early(work_));
    } catch (const non_deterministic &difference) {
        return for_good(outcome::failure(error_json("validation", "non_deterministic", difference.what())));
    } catch (...) {
        return for_good(outcome::failure(work_.kept_error(thrown_error())));
    }
}

std::optional<outcome> code_run::ended()
{
    try {
        if (!root_->error) return outcome::success(work_.kept(root_->output));
        std::rethrow_exception(root_->error);
    } catch (const continued &next) {
        keeper_.continue_as_new(next.input);
        return std::nullopt;
    } catch (const cancelled &) {
        return for_good(ended_early(work_));
    } catch (const step_error &) {
        return for_good(outcome::failure(work_.kept_error(thrown_error())));  // its own retries are used up
    } catch (...) {
        const auto thrown = thrown_error();
        const auto kind = thrown["class"].get<std::string>();
        const auto failed = outcome::failure(work_.kept_error(thrown));
        return kind == "infrastructure" || kind == "transient" ? failed : for_good(failed);
    }
}

void code_run::load()
{
    for (size_t read = page; read >= page;) {
        auto rows = keeper_.history(rows_.empty() ? 0 : rows_.back().no);
        read = rows.size();
        std::ranges::move(rows, std::back_inserter(rows_));
    }
    for (size_t at = 0; at < rows_.size(); ++at) by_id_.emplace(rows_[at].id, at);
    // Nobody asks for the row of an update: it came from outside.
    for (const auto &row : rows_) issued_.push_back(row.definition.contains("update"));
    unissued_ = static_cast<size_t>(std::ranges::count(issued_, false));
}

// What the code asks for

recorded *code_run::take(const std::string &id, const json &entry)
{
    const auto found = by_id_.find(id);
    if (found == by_id_.end()) {
        if (unissued_ > 0 && new_while_replaying_.empty()) new_while_replaying_ = id + " (" + target_of(entry) + ")";
        return nullptr;
    }
    auto &row = rows_[found->second];
    if (target_of(row.definition) != target_of(entry))
        throw_difference("step " + id + " is " + target_of(row.definition) + " in the history, and the code asks for " + target_of(entry));
    if (!issued_[found->second]) --unissued_;
    issued_[found->second] = true;
    return &row;
}

void code_run::append(json entry)
{
    if (!seen_.empty()) entry["seen"] = std::exchange(seen_, json::array());
    entries_.push_back(std::move(entry));
}

std::shared_ptr<op> code_run::begin(const std::string &name, json entry)
{
    auto begun = std::make_shared<op>();
    begun->id = next_id(name);
    if (cancelled_) {
        begun->error = std::make_exception_ptr(cancelled("the run is being cancelled"));
        begun->final = true;
        return begun;
    }
    begun->kind = executor_of(entry);
    entry["id"] = begun->id;
    if (!take(begun->id, entry)) append(std::move(entry));
    open_.emplace(begun->id, begun);
    return begun;
}

std::shared_ptr<op> code_run::begin_in_place(const std::string &name, in_place function, json options)
{
    auto step = std::make_shared<local>();
    step->ended = std::make_shared<op>();
    step->ended->id = next_id(name);
    step->name = name;
    step->function = std::move(function);
    step->options = std::move(options);
    locals_.emplace(step->ended->id, step);
    const auto *row = take(step->ended->id, {{"step", true}});
    // Between two of its tries it may have waited for longer than a worker holds still.
    const recorded *timer = nullptr;
    for (const recorded *next; (next = take(retry_id(step->ended->id, step->attempt), {{"sleep", 0}})) != nullptr; timer = next) ++step->attempt;
    // One that failed and is tried again by orch.retry stands as pending.
    if (row && is_final(row->state)) return step->ended;
    if (row) step->attempt = 1;
    if (timer && !is_final(timer->state)) {
        auto waiting = std::make_shared<op>();
        waiting->id = timer->id;
        open_.emplace(timer->id, std::move(waiting));
        retry_timers_.emplace(timer->id, step);
    } else {
        to_run_.push_back(step);
    }
    return step->ended;
}

std::shared_ptr<op> code_run::begin_branch(orch::task<json> branch)
{
    auto ended = std::make_shared<op>();
    const auto drive = [](code_run &self, orch::task<json> body, std::shared_ptr<op> end) -> started {
        try {
            end->output = co_await std::move(body);
        } catch (...) {
            end->error = std::current_exception();
        }
        self.finish(*end);
    };
    branches_.push_back(drive(*this, std::move(branch), ended).frame);
    return ended;
}

json code_run::value(const std::string &name, const std::function<json()> &make)
{
    const auto id = next_id(name);
    if (const auto *row = take(id, {{"step", true}})) return row->output;
    auto made = make();
    append({{"id", id}, {"output", made}});
    return made;
}

void code_run::tag(json tags)
{
    const auto id = next_id("tags");
    json entry{{"id", id}, {"tags", std::move(tags)}};
    if (!take(id, entry)) append(std::move(entry));
}

bool code_run::patched(std::string_view patch)
{
    if (const auto known = patches_.find(patch); known != patches_.end()) return known->second;
    const auto id = "patched:" + std::string(patch) + "#1";
    bool is = by_id_.contains(id);
    if (is) {
        (void)take(id, {{"step", true}});
    } else if (unissued_ == 0) {
        is = true;
        append({{"id", id}, {"output", true}});
    }
    return patches_.emplace(patch, is).first->second;
}

void code_run::log(std::string_view line)
{
    if (!replaying()) work_.log(line, "log");
}

// What comes back

void code_run::finish(op &ended)
{
    ended.final = true;
    for (auto *who : std::exchange(ended.waiters, {}))
        if (who->left > 0 && --who->left == 0) ready_.push_back(who->waiting);
}

void code_run::run_ready()
{
    for (;;) {
        while (!ready_.empty()) {
            const auto next = ready_.front();
            ready_.pop_front();
            next.resume();
        }
        const auto met = std::ranges::find_if(conditions_, [](const auto &one) { return one.first(); });
        if (met == conditions_.end()) break;
        const auto ended = met->second;
        conditions_.erase(met);
        finish(*ended);
    }
    // Thrown to the code as well, which may have caught it.
    if (!difference_.empty()) throw non_deterministic(difference_);
    // Frames of branches that have ended, now and then: a loop may make any number of them.
    if (branches_.size() < 2 * kept_branches_) return;
    std::erase_if(branches_, [](auto frame) { return frame.done() && (frame.destroy(), true); });
    kept_branches_ = std::max<size_t>(branches_.size(), 64);
}

void code_run::deliver(const recorded &row)
{
    if (const auto timer = retry_timers_.find(row.id); timer != retry_timers_.end()) {
        to_run_.push_back(timer->second);
        open_.erase(row.id);
        retry_timers_.erase(timer);
        return;
    }
    if (row.definition.contains("update")) {
        if (row.state == "succeeded") begin_update(row.definition["update"], row.output);
        return;
    }
    std::shared_ptr<op> ended;
    if (const auto found = open_.find(row.id); found != open_.end()) {
        ended = found->second;
        open_.erase(found);
    } else if (const auto step = locals_.find(row.id); step != locals_.end()) {
        ended = step->second->ended;
        locals_.erase(step);
    } else {
        return;  // a value, which the code has had at once
    }
    if (row.state == "succeeded" || row.state == "skipped") ended->output = row.output;
    else if (row.state == "timed_out" && ended->kind == "signal") ended->came_not = true;
    else if (row.state == "cancelled" && ended->kind != "workflow") ended->error = std::make_exception_ptr(cancelled("the run is being cancelled"));
    else ended->error = std::make_exception_ptr(step_error(row.id, row.state, row.error.is_object() ? row.error : json::object()));
    finish(*ended);
    run_ready();
}

void code_run::replay()
{
    run_ready();
    std::unordered_set<std::string_view> delivered;
    const auto next = [&](const recorded &row, size_t at) {
        if (root_->final || !delivered.insert(row.id).second) return true;
        if (!issued_[at]) throw_difference(what_is_missing());
        if (!is_final(row.state)) return false;
        deliver(row);
        return true;
    };
    for (size_t at = 0; at < rows_.size() && !root_->final; ++at) {
        for (const auto &id : rows_[at].definition.value("seen", json::array()))
            if (const auto found = by_id_.find(id.get_ref<const std::string &>()); found != by_id_.end())
                // It ended behind the question, and so did all that follows.
                if (!next(rows_[found->second], found->second)) return;
        if (executor_of(rows_[at].definition).empty() && is_final(rows_[at].state)) next(rows_[at], at);
    }
    delivering_ = false;
    std::vector<size_t> unseen;
    for (size_t at = 0; at < rows_.size(); ++at)
        if (is_final(rows_[at].state) && !delivered.contains(rows_[at].id)) unseen.push_back(at);
    std::ranges::stable_sort(unseen, {}, [&](size_t at) { return rows_[at].ended; });
    for (const auto at : unseen) {
        if (root_->final) break;
        if (!issued_[at]) throw_difference(what_is_missing());
        if (open_.contains(rows_[at].id) && !retry_timers_.contains(rows_[at].id)) seen_.push_back(rows_[at].id);
        next(rows_[at], at);
    }
    if (unissued_ > 0) throw_difference(what_is_missing());
}

std::string code_run::what_is_missing() const
{
    const auto at = static_cast<size_t>(std::ranges::find(issued_, false) - issued_.begin());
    const auto &row = rows_[at];
    auto text = "the history holds " + row.id + " (" + target_of(row.definition) + ") as its entry " + std::to_string(row.no) + ", and the code ";
    if (!new_while_replaying_.empty()) return text + "asks for " + new_while_replaying_;
    return text + (root_->final ? "has ended before that" : "does not ask for it");
}

void code_run::throw_difference(const std::string &difference)
{
    if (difference_.empty()) difference_ = difference;
    throw non_deterministic(difference_);
}

void code_run::live()
{
    if (!updates_.empty()) (void)take_updates();
    for (;;) {
        run_ready();
        const auto why = work_.interrupted();
        if (why == leased_task::reason::lost || why == leased_task::reason::draining) throw abandoned();
        if (work_.stop.stop_requested() && !cancelled_ && !root_->final) cancel_awaits();
        else if (!to_run_.empty() || !threads_.empty()) run_local(), (void)(updates_.empty() || take_updates());
        else if (root_->final) return;
        else if (suspend()) return;
    }
}

bool code_run::suspend()
{
    std::vector<std::string> awaited, open;
    const waiter *only = nullptr;
    bool several = false;
    for (const auto &[id, one] : open_) {
        open.push_back(id);
        const bool timer = retry_timers_.contains(id);
        if (one->waiters.empty() && !timer) continue;
        awaited.push_back(id);
        for (const auto *who : one->waiters) {
            several = several || (only && only != who);
            only = who;
        }
        several = several || timer;
    }
    several = several || !conditions_.empty();
    if (awaited.empty() && (conditions_.empty() || updates_.empty())) throw task_error("handler", "deadlock", "the code waits for nothing that could come");
    json waits{{only && only->all && !several ? "all" : "any", awaited}};
    if (!entries_.empty()) waits["steps"] = entries_;
    if (keeper_.suspend(waits)) return true;
    entries_ = json::array();
    const auto ended = keeper_.outcomes(open);
    for (const auto &row : ended) {
        if (!retry_timers_.contains(row.id)) seen_.push_back(row.id);
        deliver(row);
    }
    // The run is being ended, which the next heartbeat tells.
    if (!take_updates() && ended.empty()) std::this_thread::sleep_for(50ms);
    return false;
}

// Updates

bool code_run::take_updates()
{
    const auto open = keeper_.updates();
    for (const auto &asked : open) {
        if (root_->final) break;
        json entry{{"id", "update:" + asked.id}, {"update", asked.id}};
        try {
            const auto known = updates_.find(asked.name);
            if (known == updates_.end()) throw not_there("update", asked.name, updates_);
            if (known->second.check) known->second.check(asked.input);
            entry["output"] = {{"name", asked.name}, {"input", asked.input}};
        } catch (...) {
            entry["error"] = thrown_error();
            if (entry["error"]["code"] == "exception") entry["error"]["class"] = "validation";
        }
        const auto request = entry.value("output", json());
        append(std::move(entry));
        if (!request.is_null()) begin_update(asked.id, request);
    }
    if (!open.empty()) flush();
    return !open.empty();
}

void code_run::begin_update(const std::string &id, const json &request)
{
    const auto name = request.value("name", "");
    const auto known = updates_.find(name);
    if (known == updates_.end()) throw_difference("the history holds update " + id + ", and the code has no update " + name);
    (void)begin_branch(handle_update(id, known->second, request.value("input", json())));
    run_ready();
}

orch::task<json> code_run::handle_update(std::string id, const update &asked, json input)
{
    json entry{{"id", "answer:" + id}, {"answer", id}};
    try {
        entry["output"] = co_await asked.handle(std::move(input));
    } catch (...) {
        entry["error"] = thrown_error();
    }
    if (!take(entry["id"], {{"step", true}})) append(std::move(entry));
    co_return nullptr;
}

std::shared_ptr<op> code_run::begin_condition(std::function<bool()> holds)
{
    auto begun = std::make_shared<op>();
    if (cancelled_) {
        begun->error = std::make_exception_ptr(cancelled("the run is being cancelled"));
        begun->final = true;
    } else {
        conditions_.emplace_back(std::move(holds), begun);
    }
    return begun;
}

void code_run::cancel_awaits()
{
    cancelled_ = true;
    auto open = std::exchange(open_, {});
    for (auto &[holds, one] : std::exchange(conditions_, {})) open.emplace("condition " + std::to_string(open.size()), std::move(one));
    for (const auto &[id, one] : open) {
        one->error = std::make_exception_ptr(cancelled("the run is being cancelled"));
        finish(*one);
    }
    retry_timers_.clear();
    run_ready();
}

void code_run::flush()
{
    if (entries_.empty()) return;
    keeper_.record(entries_);
    entries_ = json::array();
}

}  // namespace orch::detail
