#pragma once

#include "orch/error.hpp"
#include "orch/task.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <concepts>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

// Durable code: a workflow is a coroutine that is run again from its beginning each time that something it waits for has come, and is told what its steps
// gave before. So between two awaits it may only depend on its input and on what the context gave it; docs/durable-code.md has the rules.

namespace orch {

using json = nlohmann::json;
class context;
class task_context;

/// What a step or a child that failed for good throws at its await: the error of its last attempt.
class step_error : public task_error {
public:
    step_error(std::string id, std::string state, const json &error);
    std::string id;     ///< `NAME#K`, as orch.tasks shows it.
    std::string state;  ///< failed, timed_out, cancelled ...
};

/// Thrown at the awaits of a run that is being cancelled or has run into its timeout. Steps in place still work then, others throw this again.
class cancelled : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// The code asked for something else than its history holds. `orch::worker` parks such a run; orch::test_environment throws this.
class non_deterministic : public std::logic_error {
public:
    using std::logic_error::logic_error;
};

namespace detail {

struct waiter {
    std::coroutine_handle<> waiting;
    size_t left = 1;   // how many ends it still waits for
    bool all = false;  // it needs every one of those that it waits for
};

/// What an operation will give, and who waits for it. The run and the operation's copies share it.
struct op {
    std::string id;
    bool final = false;
    json output;
    std::exception_ptr error;
    bool came_not = false;  // a signal whose time was over
    std::string_view kind;  // its executor
    std::vector<waiter *> waiters;
};

void begin_wait(waiter &who, std::span<const std::shared_ptr<op>> ops);
void end_wait(waiter &who, std::span<const std::shared_ptr<op>> ops);

}  // namespace detail

/// Something that was started: `co_await` gives what came of it, or throws its error. May be awaited more than once, and need not be at all.
template <class T>
class [[nodiscard]] operation {
public:
    using value = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

    explicit operation(std::shared_ptr<detail::op> state) : state_(std::move(state)) {}

    [[nodiscard]] const std::string &id() const noexcept { return state_->id; }
    /// Whether it has ended, as far as the code was told: the same in each replay.
    [[nodiscard]] bool done() const noexcept { return state_->final; }
    /// What came of one that is done; throws its error.
    T get() const
    {
        if (state_->error) std::rethrow_exception(state_->error);
        if constexpr (std::same_as<T, std::optional<json>>) return state_->came_not ? std::nullopt : std::optional(state_->output);
        else if constexpr (!std::is_void_v<T>) return state_->output.get<T>();
    }
    [[nodiscard]] const std::shared_ptr<detail::op> &state() const noexcept { return state_; }

    [[nodiscard]] auto operator co_await() const
    {
        struct awaiter {
            operation ended;
            detail::waiter who;
            [[nodiscard]] bool await_ready() const noexcept { return ended.done(); }
            void await_suspend(std::coroutine_handle<> waiting)
            {
                who.waiting = waiting;
                detail::begin_wait(who, {&ended.state_, 1});
            }
            T await_resume()
            {
                detail::end_wait(who, {&ended.state_, 1});
                return ended.get();
            }
        };
        return awaiter{*this, {}};
    }

private:
    std::shared_ptr<detail::op> state_;
};

namespace detail {

/// Waits for all of several, or for any.
struct group {
    std::vector<std::shared_ptr<op>> ops;
    waiter who;
    group(std::vector<std::shared_ptr<op>> ops, bool all) : ops(std::move(ops)) { who.all = all; }
    [[nodiscard]] bool await_ready() const noexcept
    {
        const auto ended = std::ranges::count_if(ops, [](const auto &one) { return one->final; });
        return who.all ? ended == std::ssize(ops) : ended > 0 || ops.empty();
    }
    void await_suspend(std::coroutine_handle<> waiting)
    {
        who.waiting = waiting;
        who.left = who.all ? static_cast<size_t>(std::ranges::count_if(ops, [](const auto &one) { return !one->final; })) : 1;
        begin_wait(who, ops);
    }
    void stop_waiting() { end_wait(who, ops); }
};

template <class T>
typename operation<T>::value value_of(const operation<T> &ended)
{
    if constexpr (std::is_void_v<T>) return ended.get(), std::monostate{};
    else return ended.get();
}

template <class... T>
struct all_of : group {
    std::tuple<operation<T>...> operations;
    explicit all_of(operation<T>... given) : group({given.state()...}, true), operations(std::move(given)...) {}
    std::tuple<typename operation<T>::value...> await_resume()
    {
        stop_waiting();
        return std::apply([](const auto &...ended) { return std::tuple<typename operation<T>::value...>{value_of(ended)...}; }, operations);
    }
};

template <class T>
std::vector<std::shared_ptr<op>> states_of(const std::vector<operation<T>> &given)
{
    std::vector<std::shared_ptr<op>> states;
    for (const auto &one : given) states.push_back(one.state());
    return states;
}

template <class T>
struct all_of_list : group {
    std::vector<operation<T>> operations;
    explicit all_of_list(std::vector<operation<T>> given) : group(states_of(given), true), operations(std::move(given)) {}
    std::vector<typename operation<T>::value> await_resume()
    {
        stop_waiting();
        std::vector<typename operation<T>::value> values;
        for (const auto &ended : operations) values.push_back(value_of(ended));
        return values;
    }
};

struct any_of : group {
    explicit any_of(std::vector<std::shared_ptr<op>> given) : group(std::move(given), false) {}
    size_t await_resume()
    {
        stop_waiting();
        return static_cast<size_t>(std::ranges::find_if(ops, [](const auto &one) { return one->final; }) - ops.begin());
    }
};

}  // namespace detail

/// Waits until all have ended, then gives their values in the order of the call, or throws the first error in that order.
template <class... T>
[[nodiscard]] auto all(operation<T>... operations)
{
    return detail::all_of<T...>(std::move(operations)...);
}
template <class T>
[[nodiscard]] auto all(std::vector<operation<T>> operations)
{
    return detail::all_of_list<T>(std::move(operations));
}

/// Waits until one has ended, and gives its place in the call; `get` or `co_await` of that one gives its value. The others go on.
template <class... T>
[[nodiscard]] auto any(const operation<T> &...operations)
{
    return detail::any_of({operations.state()...});
}
template <class T>
[[nodiscard]] auto any(const std::vector<operation<T>> &operations)
{
    return detail::any_of(detail::states_of(operations));
}

/// What is left out is the engine's default; docs/definition.md says what each means. Trivial members only, here and in child_options: GCC 12 copies temporaries
/// of aggregates bit by bit into the frame of a coroutine, which a std::string does not survive (https://gcc.gnu.org/PR102489 and its like).
struct step_options {
    std::optional<int> retries{};  ///< Tries after the first [2].
    std::optional<double> retry_delay_seconds{};
    std::optional<double> retry_max_delay_seconds{};
    std::optional<double> timeout_seconds{};  ///< Of one attempt. A function in place sees it as its task_context::deadline.
    std::string_view queue{};
    std::optional<int> priority{};
    const json *more = nullptr;  ///< Any other fields of a task in docs/definition.md.
};

struct child_options {
    bool wait = true;                         ///< False: the operation ends when the child has been started, with {"run_id"}.
    std::string_view parent_close{"cancel"};  ///< What becomes of it when this run ends first: cancel or abandon.
};

namespace detail {
class code_run;
using in_place = std::function<json(task_context &)>;

template <class F>
concept given_context = std::invocable<F &, task_context &>;

template <class F>
in_place in_place_of(F function)
{
    return [function = std::move(function)](task_context &task) mutable -> json {
        const auto call = [&]() -> decltype(auto) {
            if constexpr (given_context<F>) return function(task);
            else return function();
        };
        if constexpr (std::is_void_v<decltype(call())>) return call(), json();
        else return call();
    };
}
}  // namespace detail

/// Both get the input that came with them. A query reads, and gives an answer; an update is a coroutine of the workflow, and what it returns is the answer.
using query_function = std::function<json(const json &)>;
using update_function = std::function<task<json>(json)>;
/// Throws to refuse an update. Not called in replays.
using update_check = std::function<void(const json &)>;

/// What the code of one run has to ask of the world. Every call counts: the same calls, in the same order, in each replay.
class context {
public:
    std::string run_id;
    std::string workflow;
    std::string version;  ///< The label that this run was started with.
    int attempt = 1;
    json input;

    /// Starts a step that any worker may do that serves the handler `name`.
    operation<json> step(const std::string &name, step_options options = {});
    operation<json> step(const std::string &name, json input, step_options options = {});
    /// Runs a function here, of no argument or of a task_context &, in a thread of its own; what it gives is recorded. It may run more than once: when the
    /// worker dies between its end and the record, and after an error as often as its retries say. It must not use this context.
    template <class F>
        requires(std::invocable<F &> || detail::given_context<F>)
    operation<json> step(const std::string &name, F function, step_options options = {})
    {
        return step_in_place(name, detail::in_place_of(std::move(function)), options);
    }
    /// Starts a step of any executor of a task: `{"http": {...}}`, `{"command": [...]}`, `{"callable": "module:function"}`.
    operation<json> start(const std::string &name, json definition, json input = nullptr);

    operation<void> wait(std::chrono::milliseconds duration);
    operation<void> wait_until(std::chrono::system_clock::time_point time);
    /// The oldest signal of that name that nobody has taken yet, or nothing when the time is over.
    operation<std::optional<json>> signal(std::string name, std::optional<std::chrono::milliseconds> timeout = std::nullopt);
    operation<json> child(std::string workflow, json input = json::object(), child_options options = {});
    /// Runs another coroutine beside this one, in turns; what it gives is not recorded, its steps are.
    operation<json> spawn(orch::task<json> branch);
    operation<void> spawn(orch::task<> branch);

    /// What the run may be asked (orch::client::query) and told (orch::client::update). Say so before the first await. What the functions refer to has to live
    /// on when the workflow has returned, since queries come after that as well: see `keep`.
    void query(std::string name, query_function answer);
    void update(std::string name, update_function handle, update_check check = {});
    /// Waits until this is so. Asked again after whatever the code is told; nothing of it is recorded.
    operation<void> condition(std::function<bool()> holds);
    /// Something that lives as long as queries may look at it.
    template <class T>
    T &keep(T value = {})
    {
        auto kept = std::make_shared<T>(std::move(value));
        kept_.push_back(kept);
        return *kept;
    }

    /// True in runs that come here for the first time, false in those that passed here before the code had this question.
    [[nodiscard]] bool patched(std::string_view id);
    [[nodiscard]] std::chrono::system_clock::time_point now();
    [[nodiscard]] double random();  ///< From 0 up to 1.
    [[nodiscard]] std::string uuid();
    void log(std::string_view line);  ///< Adds a line to orch.logs, once: not in replays.
    void set_tag(std::string key, json value);
    /// What a reference to a large value stands for, fetched now; any other value as it is.
    [[nodiscard]] json load(const json &value) const;
    /// Ends this run; a new one of the same workflow begins with this input. Throws what the worker catches, so let it pass.
    [[noreturn]] void continue_as_new(json input);

private:
    friend class detail::code_run;
    explicit context(detail::code_run &run) : run_(run) {}
    operation<json> step_in_place(const std::string &name, detail::in_place function, step_options options);
    detail::code_run &run_;
    std::vector<std::shared_ptr<void>> kept_;
};

/// Gets the run's input, returns its output; fails the run by an exception.
using workflow_function = std::function<task<json>(context &, json)>;

struct workflow_options {
    std::string version{"1"};    ///< A label; a run stays with the one that it was started with. One worker may serve several.
    json more = json::object();  ///< Of orch.register_code: queue, timeout_seconds, max_active_runs, when_full, priority, tags, name, description, owner.
};

}  // namespace orch
