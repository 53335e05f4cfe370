#include "orch/testing.hpp"
#include "orch/workflow.hpp"

#include <gtest/gtest.h>

#include <atomic>

namespace {

using namespace orch;
using namespace std::chrono_literals;

task<json> signup(context &ctx, json input)
{
    const json mail{{"to", input["email"]}};
    co_await ctx.step("sendWelcomeEmail", mail);
    co_await ctx.wait(1h);
    const auto confirmed = co_await ctx.signal("confirmed", 72h);
    if (!confirmed) co_return {{"confirmed", false}};
    const auto account = co_await ctx.step("createAccount", [] { return json{{"account", 7}}; });
    co_return {{"confirmed", *confirmed}, {"account", account["account"]}};
}

test_environment &with_signup(test_environment &env, int &mails)
{
    env.workflow("signup", signup);
    env.handler("sendWelcomeEmail", [&mails](task_context &, const json &) {
        ++mails;
        return json();
    });
    return env;
}

TEST(workflow, waits_and_goes_on_from_its_history)
{
    test_environment env;
    int mails = 0;
    const auto run = with_signup(env, mails).start("signup", {{"email", "ada@example.org"}});
    EXPECT_EQ(env.state(run), "waiting");
    EXPECT_EQ(mails, 1);
    env.advance(59min);
    EXPECT_EQ(env.replays(run), 2) << "nothing is run while nothing has come";
    env.advance(1min);
    EXPECT_EQ(env.replays(run), 3);
    env.signal(run, "confirmed", true);
    EXPECT_EQ(env.state(run), "succeeded");
    EXPECT_EQ(env.result(run), (json{{"confirmed", true}, {"account", 7}}));
    EXPECT_EQ(mails, 1);
    std::vector<std::string> ids;
    for (const auto &row : env.history(run)) ids.push_back(row["id"]);
    EXPECT_EQ(ids, (std::vector<std::string>{"sendWelcomeEmail#1", "wait#1", "signal:confirmed#1", "createAccount#1"}));
}

TEST(workflow, a_signal_before_its_wait_is_kept_and_one_that_never_comes_is_nothing)
{
    test_environment env;
    int mails = 0;
    with_signup(env, mails);
    const auto early = env.start("signup", {{"email", "a"}});
    env.signal(early, "confirmed", "early");
    env.advance(1h);
    EXPECT_EQ(env.result(early)["confirmed"], "early");
    const auto never = env.start("signup", {{"email", "b"}});
    env.run_timers(never);
    EXPECT_EQ(env.result(never), (json{{"confirmed", false}}));
}

TEST(workflow, two_signals_at_once_come_both_and_in_order)
{
    test_environment env;
    env.workflow("asks", [](context &ctx, json) -> task<json> {
        json both = json::array();
        for (int i = 0; i < 2; ++i) both.push_back(*co_await ctx.signal("answer"));
        co_return both;
    });
    const auto run = env.start("asks");
    env.signal(run, "answer", 1);
    env.signal(run, "answer", 2);
    EXPECT_EQ(env.result(run), (json{1, 2}));
}

TEST(workflow, steps_started_together_give_their_results_in_the_order_of_the_calls)
{
    test_environment env;
    env.handler("echo", [](task_context &, json in) { return in; });
    env.workflow("parallel", [](context &ctx, json) -> task<json> {
        auto [a, b, c] = co_await all(ctx.step("echo", 1), ctx.step("here", [] { return json(2); }), ctx.wait(1min));
        std::vector<operation<json>> many;
        for (int i = 0; i < 50; ++i) many.push_back(ctx.step("square", [i] { return json(i * i); }));
        int sum = 0;
        for (const auto &one : co_await all(std::move(many))) sum += one.get<int>();
        co_return json{a, b, sum};
    });
    const auto run = env.start("parallel");
    env.run_timers(run);
    EXPECT_EQ(env.result(run), (json{1, 2, 40425}));
    EXPECT_EQ(env.replays(run), 2) << "woken once, when all that it waits for together has come";
}

TEST(workflow, the_first_of_several)
{
    test_environment env;
    env.workflow("first", [](context &ctx, json) -> task<json> {
        auto answer = ctx.signal("answer");
        auto late = ctx.wait(24h);
        const auto first = co_await any(answer, late);
        co_return first == 0 ? answer.get().value() : json("late");
    });
    const auto early = env.start("first"), late = env.start("first");
    env.signal(early, "answer", "early");
    env.advance(25h);
    EXPECT_EQ(env.result(early), "early");
    EXPECT_EQ(env.result(late), "late");
}

TEST(workflow, branches_run_beside_each_other)
{
    test_environment env;
    env.handler("echo", [](task_context &, json in) { return in; });
    env.workflow("branches", [](context &ctx, json) -> task<json> {
        const auto branch = [](context &inner, int n) -> task<json> {
            co_await inner.wait(std::chrono::hours(n));
            const auto value = co_await inner.step("echo", n);
            co_return value.get<int>() * 10;
        };
        std::vector<operation<json>> branches;
        for (int n = 3; n > 0; --n) branches.push_back(ctx.spawn(branch(ctx, n)));
        co_return co_await all(std::move(branches));
    });
    const auto run = env.start("branches");
    env.run_timers(run);
    EXPECT_EQ(env.result(run), (json{30, 20, 10}));
    EXPECT_EQ(test_environment::replay(
                  [](context &ctx, json) -> task<json> {
                      const auto branch = [](context &inner, int n) -> task<json> {
                          co_await inner.wait(std::chrono::hours(n));
                          const auto value = co_await inner.step("echo", n);
                          co_return value.get<int>() * 10;
                      };
                      std::vector<operation<json>> branches;
                      for (int n = 3; n > 0; --n) branches.push_back(ctx.spawn(branch(ctx, n)));
                      co_return co_await all(std::move(branches));
                  },
                  env.history(run)),
              (json{30, 20, 10}));
}

TEST(workflow, errors_are_caught_and_retries_in_place_are_counted)
{
    test_environment env;
    std::atomic<int> tries = 0;
    env.handler("bad", [](task_context &, const json &) -> json { throw task_error("validation", "bad", "it is bad"); });
    env.workflow("catches", [&tries](context &ctx, json) -> task<json> {
        const auto got = co_await ctx.step("unsteady", [&tries]() -> json {
            if (++tries < 3) throw task_error("transient", "busy", "later");
            return tries.load();
        });
        std::string code;
        try {
            co_await ctx.step("bad");
        } catch (const step_error &failed) {
            code = failed.error_class + "/" + failed.code + "/" + failed.id;
        }
        co_return json{got, code};
    });
    const auto run = env.start("catches");
    EXPECT_EQ(tries, 1) << "a long delay between two tries is a timer";
    env.run_timers(run);
    ASSERT_EQ(env.state(run), "succeeded") << env.error(run);
    EXPECT_EQ(env.result(run), (json{3, "validation/bad/bad#1"}));
    EXPECT_EQ(env.history(run)[0]["id"], "unsteady#1:retry#1");
}

TEST(workflow, what_nobody_catches_fails_the_run)
{
    test_environment env;
    env.workflow("fails", [](context &ctx, json) -> task<json> {
        co_await ctx.step("never", []() -> json { throw task_error("validation", "no", "not at all"); });
        co_return 1;
    });
    const auto run = env.start("fails");
    EXPECT_EQ(env.state(run), "failed");
    EXPECT_EQ(env.error(run)["code"], "no");
    EXPECT_THROW((void)env.result(run), step_error);
}

TEST(workflow, time_and_chance_are_recorded)
{
    test_environment env;
    env.handler("echo", [](task_context &, json in) { return in; });
    env.workflow("values", [](context &ctx, json) -> task<json> {
        const auto now = ctx.now();
        const auto random = ctx.random();
        const auto uuid = ctx.uuid();
        const json taken{random, uuid};
        const auto echoed = co_await ctx.step("echo", taken);
        ctx.set_tag("colour", "red");
        ctx.log("said once");
        co_await ctx.wait(1h);
        co_return json{echoed == taken, ctx.now() - now == 1h};
    });
    const auto run = env.start("values");
    env.run_timers(run);
    EXPECT_EQ(env.result(run), (json{true, true}));
    EXPECT_EQ(env.tags(run), (json{{"colour", "red"}}));
    EXPECT_EQ(env.lines(run), std::vector<std::string>{"said once"});
}

TEST(workflow, children_and_new_runs_of_endless_ones)
{
    test_environment env;
    env.workflow("countdown", [](context &ctx, json input) -> task<json> {
        const int n = input["n"];
        co_await ctx.wait(1min);
        if (n > 0) ctx.continue_as_new({{"n", n - 1}});
        co_return "done";
    });
    env.workflow("parent", [](context &ctx, json) -> task<json> {
        const json from{{"n", 2}};
        co_return co_await ctx.child("countdown", from);
    });
    const auto run = env.start("parent");
    env.run_timers(run);
    EXPECT_EQ(env.result(run), "done");
}

task<json> changes(context &ctx, const char *name, bool patched)
{
    if (patched && ctx.patched("new")) name = "other";
    const auto given = co_await ctx.step(name, [name] { return json(name); });
    co_await ctx.wait(1h);
    co_return given;
}

TEST(workflow, changed_code_is_named_and_parked_and_goes_on_when_it_is_mended)
{
    const auto revision = [](const char *name, bool patched) { return [=](context &ctx, json) { return changes(ctx, name, patched); }; };
    test_environment env;
    env.workflow("changes", revision("first", false));
    const auto run = env.start("changes");
    env.workflow("changes", revision("other", false));
    env.advance(1h);
    EXPECT_EQ(env.state(run), "parked");
    EXPECT_EQ(env.error(run)["code"], "non_deterministic");
    EXPECT_EQ(env.error(run)["message"], "the history holds first#1 (a step in place) as its entry 1, and the code asks for other#1 (a step in place)");
    env.workflow("changes", revision("first", true));
    EXPECT_EQ(env.result(run), "first") << "the patch lets the old run end as it began";
    const auto later = env.start("changes");
    env.run_timers(later);
    EXPECT_EQ(env.result(later), "other");
}

TEST(workflow, each_way_to_leave_the_history_is_told)
{
    test_environment env;
    env.handler("echo", [](task_context &, json in) { return in; });
    env.workflow("w", [](context &ctx, json) -> task<json> {
        co_await ctx.step("echo", 1);
        co_await ctx.wait(1h);
        co_return 1;
    });
    const auto run = env.start("w");
    env.run_timers(run);
    const auto history = env.history(run);
    const auto told = [&](const workflow_function &function) -> std::string {
        try {
            const auto output = test_environment::replay(function, history);
            return output ? "fits" : "ends early";
        } catch (const non_deterministic &difference) {
            return difference.what();
        }
    };
    EXPECT_EQ(told([](context &ctx, json) -> task<json> {
                  co_await ctx.step("echo", 2);
                  co_await ctx.wait(2h);
                  co_return 1;
              }),
              "fits")
        << "inputs and durations may change";
    EXPECT_EQ(told([](context &ctx, json) -> task<json> {
                  const json request{{"http", {{"url", "http://x"}}}};
                  co_await ctx.start("echo", request);
                  co_return 1;
              }),
              "step echo#1 is the handler echo in the history, and the code asks for the http {\"url\":\"http://x\"}");
    EXPECT_EQ(told([](context &ctx, json) -> task<json> {
                  co_await ctx.step("echo", 1);
                  co_return 1;
              }),
              "the history holds wait#1 (a wait) as its entry 2, and the code has ended before that");
    EXPECT_EQ(told([](context &ctx, json) -> task<json> {
                  co_await ctx.step("echo", 1);
                  co_await ctx.signal("go");
                  co_return 1;
              }),
              "the history holds wait#1 (a wait) as its entry 2, and the code asks for signal:go#1 (the signal go)");
    EXPECT_EQ(told([](context &ctx, json) -> task<json> {
                  co_await ctx.step("echo", 1);
                  co_await ctx.wait(1h);
                  co_await ctx.step("more", [] { return json(); });
                  co_return 1;
              }),
              "ends early");
}

TEST(workflow, a_cancel_is_thrown_at_the_awaits_and_steps_in_place_still_clean_up)
{
    test_environment env;
    bool undone = false;
    std::string run;
    env.workflow("cancelled", [&](context &ctx, json) -> task<json> {
        bool stopped = false;
        try {
            run = ctx.run_id;
            co_await ctx.step("cancels", [&] { env.cancel(run); });
            co_await ctx.wait(1h);
        } catch (const cancelled &) {
            stopped = true;
        }
        if (stopped) co_await ctx.step("undo", [&] { undone = true; });
        co_await ctx.signal("never");
        co_return 1;
    });
    env.start("cancelled");
    EXPECT_EQ(env.state(run), "cancelled");
    EXPECT_TRUE(undone);
}

TEST(workflow, the_code_may_not_wait_for_nothing)
{
    struct never {
        [[nodiscard]] bool await_ready() const noexcept { return false; }
        void await_suspend(std::coroutine_handle<>) const noexcept {}
        void await_resume() const noexcept {}
    };
    test_environment env;
    env.workflow("stuck", [](context &, json) -> task<json> {
        co_await never{};
        co_return 1;
    });
    const auto run = env.start("stuck");
    EXPECT_EQ(env.state(run), "failed");
    EXPECT_EQ(env.error(run)["code"], "deadlock");
}

TEST(workflow, nothing_is_left_of_a_run_that_waits)
{
    auto held = std::make_shared<int>();
    test_environment env;
    env.workflow("holds", [&held](context &ctx, json) -> task<json> {
        const auto mine = held;
        const auto branch = [](context &inner, std::shared_ptr<int>) -> task<> { co_await inner.wait(2h); };
        auto beside = ctx.spawn(branch(ctx, mine));
        co_await ctx.wait(1h);
        co_await beside;
        co_return 1;
    });
    const auto run = env.start("holds");
    EXPECT_EQ(env.state(run), "waiting");
    EXPECT_EQ(held.use_count(), 1);
    env.run_timers(run);
    EXPECT_EQ(env.result(run), 1);
    EXPECT_EQ(held.use_count(), 1);
}

TEST(workflow, what_an_await_is_given_lives_once)
{
    // GCC 12 is wrong about some temporaries in the operand of co_await: not about these.
    auto held = std::make_shared<int>();
    test_environment env;
    env.handler("echo", [](task_context &, json in) { return in; });
    env.workflow("temporaries", [&held](context &ctx, json) -> task<json> {
        const std::string text = "short";
        const auto got = co_await ctx.step("captures", [&] { return json(text); }, {.retries = 3, .queue = "other"});
        co_await ctx.step("echo", text + " and one that is longer than a short one", {.timeout_seconds = 3, .queue = text});
        const std::vector<std::string> several(3, text);
        co_await ctx.step(text + "#", [&] { return json(several); });
        const auto named = [held, text] { return json(text); };
        co_await ctx.step("named", named);
        (void)co_await ctx.signal("never" + text, 1s);
        const std::vector<operation<void>> waits{ctx.wait(1s), ctx.wait(2s)};
        co_await any(waits);
        co_return got;
    });
    const auto run = env.start("temporaries");
    env.run_timers(run);
    EXPECT_EQ(env.result(run), "short");
    EXPECT_EQ(held.use_count(), 1);
}

task<json> cart(context &ctx, json)
{
    auto &items = ctx.keep<json>(json::array());
    auto &paid = ctx.keep(false);
    ctx.query("items", [&](const json &) { return items; });
    ctx.query("breaks", [](const json &) -> json { throw std::runtime_error("broken on purpose"); });
    ctx.update(
        "add",
        [&](json input) -> task<json> {
            items.push_back(input["item"]);
            co_return {{"count", items.size()}};
        },
        [](const json &input) {
            if (!input["item"].is_string()) throw task_error("validation", "bad_item", "an item is a text");
        });
    ctx.update("pay", [&](json) -> task<json> {
        co_await ctx.wait(1h);
        paid = true;
        co_return true;
    });
    co_await ctx.condition([&] { return paid; });
    co_return items;
}

TEST(workflow, may_be_asked_and_told_while_it_waits_and_asked_when_it_is_over)
{
    test_environment env;
    env.workflow("cart", cart);
    const auto run = env.start("cart");
    EXPECT_EQ(env.state(run), "waiting");
    EXPECT_EQ(env.query(run, "items"), json::array());
    EXPECT_EQ(env.update(run, "add", {{"item", "a"}}, "u1"), (json{{"count", 1}}));
    EXPECT_EQ(env.update(run, "add", {{"item", "a"}}, "u1"), (json{{"count", 1}})) << "the same id is the same update";
    EXPECT_EQ(env.update(run, "add", {{"item", "b"}}, "u2"), (json{{"count", 2}}));
    const auto before = env.history(run);
    EXPECT_EQ(env.query(run, "items"), (json{"a", "b"}));
    EXPECT_EQ(env.history(run), before) << "a query leaves nothing";
    EXPECT_EQ(env.update(run, "pay", nullptr, "u3"), std::nullopt) << "its handler waits";
    EXPECT_EQ(env.state(run), "waiting");
    env.advance(1h);
    EXPECT_EQ(env.update(run, "pay", nullptr, "u3"), json(true));
    EXPECT_EQ(env.result(run), (json{"a", "b"}));
    EXPECT_EQ(env.query(run, "items"), (json{"a", "b"}));
    EXPECT_THROW(env.update(run, "add", {{"item", "c"}}, "u4"), orch::error);
    EXPECT_EQ(test_environment::replay(cart, env.history(run)), (json{"a", "b"}));
}

TEST(workflow, refuses_what_it_does_not_know)
{
    test_environment env;
    env.workflow("cart", cart);
    const auto run = env.start("cart");
    const auto code_of = [](const std::function<void()> &call) {
        try {
            call();
        } catch (const task_error &refused) {
            return refused.error_class + " " + refused.code;
        }
        return std::string("nothing");
    };
    EXPECT_EQ(code_of([&] { (void)env.query(run, "none"); }), "validation unknown_query");
    EXPECT_EQ(code_of([&] { (void)env.query(run, "breaks"); }), "handler exception");
    EXPECT_EQ(code_of([&] { env.update(run, "none", nullptr, "u1"); }), "validation unknown_update");
    EXPECT_EQ(code_of([&] { env.update(run, "add", {{"item", 1}}, "u2"); }), "validation bad_item");
    EXPECT_EQ(code_of([&] { env.update(run, "add", {{"item", "a"}}, "u2"); }), "validation bad_item") << "once refused is refused";
    EXPECT_EQ(env.query(run, "items"), json::array());
    EXPECT_EQ(env.state(run), "waiting");
}

TEST(workflow, with_updates_in_its_history_needs_them_in_its_code)
{
    test_environment env;
    env.workflow("cart", cart);
    const auto run = env.start("cart");
    env.update(run, "add", {{"item", "a"}}, "u1");
    const auto without = [](context &ctx, json) -> task<json> { co_return (co_await ctx.signal("never")).has_value(); };
    EXPECT_THROW(test_environment::replay(without, env.history(run)), non_deterministic);
    env.cancel(run);
    EXPECT_EQ(env.state(run), "cancelled");
}

TEST(workflow, a_long_history_is_read_once)
{
    test_environment env;
    env.workflow("loop", [](context &ctx, json input) -> task<json> {
        int64_t sum = 0;
        for (int i = 0; i < input["n"].get<int>(); ++i) sum += (co_await ctx.step("local", [i] { return json(i); })).get<int64_t>();
        co_await ctx.wait(1h);
        co_return sum;
    });
    const auto run = env.start("loop", {{"n", 50'000}});
    env.run_timers(run);
    EXPECT_EQ(env.result(run), 1249975000);
    EXPECT_EQ(env.replays(run), 2);
}

TEST(workflow, mocks_take_the_place_of_handlers_and_of_functions)
{
    test_environment env;
    env.workflow("signup", signup);
    env.mock("sendWelcomeEmail", [](task_context &, const json &input) { return input; });
    env.mock("createAccount", [](task_context &, const json &) { return json{{"account", 1}}; });
    const auto run = env.start("signup", {{"email", "a"}});
    env.signal(run, "confirmed", true);
    env.advance(1h);
    EXPECT_EQ(env.result(run)["account"], 1);
    EXPECT_EQ(env.history(run)[0]["output"], (json{{"to", "a"}}));
}

}  // namespace
