#pragma once

#include <atomic>
#include <coroutine>
#include <exception>
#include <semaphore>
#include <type_traits>
#include <utility>
#include <variant>

namespace orch {

template <class T>
class task;

namespace detail {

/// At its end a coroutine goes over to the one who awaits it, by symmetric transfer, if that one has suspended by now. One that ended without suspending has
/// its awaiter below it on the stack, which goes on by itself: so a loop of awaits does not grow the stack, even where the compiler makes no tail calls.
struct hand_over {
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> ended) const noexcept
    {
        auto &promise = ended.promise();
        const auto next = promise.continuation;
        return promise.met.exchange(true) ? next : std::noop_coroutine();
    }
    void await_resume() const noexcept {}
};

template <class T>
struct task_result {
    void return_value(T value) { result.template emplace<1>(std::move(value)); }
    T take()
    {
        if (result.index() == 2) std::rethrow_exception(std::get<2>(result));
        return std::get<1>(std::move(result));
    }
    std::variant<std::monostate, T, std::exception_ptr> result;
};

template <>
struct task_result<void> {
    void return_void() {}
    void take()
    {
        if (result.index() == 2) std::rethrow_exception(std::get<2>(result));
    }
    std::variant<std::monostate, std::monostate, std::exception_ptr> result;
};

template <class T>
struct task_promise : task_result<T> {
    task<T> get_return_object() noexcept { return task<T>(std::coroutine_handle<task_promise>::from_promise(*this)); }
    [[nodiscard]] std::suspend_always initial_suspend() const noexcept { return {}; }
    [[nodiscard]] hand_over final_suspend() const noexcept { return {}; }
    void unhandled_exception() noexcept { this->result.template emplace<2>(std::current_exception()); }
    std::coroutine_handle<> continuation = std::noop_coroutine();
    std::atomic<bool> met = false;  // set by the first of the two: the awaiter that has started it, and its end
};

}  // namespace detail

/// A coroutine that begins when it is awaited, and gives one T or throws. Awaited once, by moving it: `co_await f()`. Its frame dies with it.
/// What a coroutine's parameters refer to has to outlive it: take values, and no captures of a lambda that is gone by then.
template <class T = void>
class [[nodiscard]] task {
public:
    using promise_type = detail::task_promise<T>;

    task(task &&other) noexcept : frame_(std::exchange(other.frame_, {})) {}
    task &operator=(task &&other) noexcept
    {
        std::swap(frame_, other.frame_);
        return *this;
    }
    task(const task &) = delete;
    task &operator=(const task &) = delete;
    ~task()
    {
        if (frame_) frame_.destroy();
    }

    [[nodiscard]] auto operator co_await() && noexcept
    {
        struct awaiter {
            std::coroutine_handle<promise_type> frame;
            [[nodiscard]] bool await_ready() const noexcept { return false; }
            bool await_suspend(std::coroutine_handle<> awaiting) const
            {
                const auto inner = frame;
                inner.promise().continuation = awaiting;
                inner.resume();
                return !inner.promise().met.exchange(true);  // from here on another thread may go on with the one who awaits
            }
            T await_resume() const { return frame.promise().take(); }
        };
        return awaiter{frame_};
    }

private:
    friend promise_type;
    explicit task(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}
    std::coroutine_handle<promise_type> frame_;
};

namespace detail {

/// A coroutine that nobody awaits: it begins at once and its frame dies at its end, or with its owner before that.
struct started {
    struct promise_type {
        started get_return_object() noexcept { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
        [[nodiscard]] std::suspend_never initial_suspend() const noexcept { return {}; }
        [[nodiscard]] std::suspend_always final_suspend() const noexcept { return {}; }
        void return_void() const noexcept {}
        [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }
    };
    std::coroutine_handle<promise_type> frame;
};

/// Runs it in this thread; where it waits for something that another thread resumes, this one blocks.
template <class T>
T wait_for(task<T> work)
{
    struct waiting {
        struct promise_type {
            std::binary_semaphore over{0};
            waiting get_return_object() noexcept { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
            [[nodiscard]] std::suspend_always initial_suspend() const noexcept { return {}; }
            [[nodiscard]] auto final_suspend() const noexcept
            {
                struct release {
                    [[nodiscard]] bool await_ready() const noexcept { return false; }
                    void await_suspend(std::coroutine_handle<promise_type> ended) const noexcept { ended.promise().over.release(); }
                    void await_resume() const noexcept {}
                };
                return release{};
            }
            void return_void() const noexcept {}
            [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }
        };
        std::coroutine_handle<promise_type> frame;
    };
    task_result<T> kept;
    // A lambda without captures: its parameters live in the frame.
    const auto body = [](task<T> inner, task_result<T> &result) -> waiting {
        try {
            if constexpr (std::is_void_v<T>) co_await std::move(inner);
            else result.return_value(co_await std::move(inner));
        } catch (...) {
            result.result.template emplace<2>(std::current_exception());
        }
    };
    const auto run = body(std::move(work), kept);
    run.frame.resume();
    run.frame.promise().over.acquire();
    run.frame.destroy();
    return kept.take();
}

}  // namespace detail
}  // namespace orch
