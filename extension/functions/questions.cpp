// orch.query, update, updates, await_update: what code is asked while it goes on, and after.
#include "core/problem.hpp"
#include "engine/question.hpp"
#include "engine/update.hpp"
#include "functions/arguments.hpp"
#include "functions/patience.hpp"
#include "shared/database.hpp"
#include "shared/run_waiters.hpp"

namespace orch::functions {

namespace {

using engine::Call;
using engine::RunId;

constexpr int64 look_again_ms = 1000;

// One short transaction of a call that sleeps.
template <class F>
void in_call(pg::NonAtomic &outer, F &&f)
{
    pg::in_short_transaction(outer, [&] {
        Call call;
        f(call);
        call.finish();
    });
}

[[noreturn]] void raise_answered(const std::string &error)
{
    const auto parsed = core::parse(error, {.max_bytes = SIZE_MAX, .exact_integers = false});
    const auto *value = std::get_if<core::Json>(&parsed);
    const auto message = value && value->is_object() ? value->find("message") : core::Json::const_iterator();
    const bool has = value && value->is_object() && message != value->end() && message->is_string();
    throw pg::error{pg::answered_with_error, has ? message->get<std::string>() : "the code answered with an error", error, {}};
}

[[noreturn]] void raise_no_answer(std::string_view what, const std::string &detail)
{
    throw pg::error{pg::no_answer, "no answer to the " + std::string(what) + " within the timeout", detail, {}};
}

Datum one_answer(FunctionCallInfo fcinfo, const std::optional<std::string> &output)
{
    return one_row<1>(fcinfo, {output ? std::optional(pg::jsonb_datum(*output)) : std::nullopt});
}

Datum query(FunctionCallInfo fcinfo)
{
    const Arguments arguments(fcinfo);
    const core::Uuid run = arguments.uuid(0, "run");
    const std::string name = arguments.text(1, "name");
    const std::optional<Datum> input = arguments.maybe(2);
    const int64 timeout = std::clamp<int64>(arguments.microseconds(3).value_or(INT64_MAX), 0, longest_wait_us);
    const Patience patience(timeout);
    pg::require_top_level(fcinfo, "orch.query");
    engine::require_primary("orch.query()");
    shared::require_preloaded();
    pg::NonAtomic outer;
    outer.open();
    RunId question;
    in_call(outer, [&](Call &call) { question = engine::ask(call, run, name, input, timeout); });
    const bool waits = shared::run_wait_begin(question);
    std::optional<engine::Answer> answer;
    for (bool offered = false;;) {
        in_call(outer, [&](Call &call) {
            answer = engine::answer_of(call, question);
            // Into a list that nobody reads it is not put: it would stay there.
            if (!answer && !offered) offered = engine::offer_question(call, question);
            if (answer || patience.over()) engine::forget_question(call, question);
        });
        if (answer || patience.over()) {
            shared::run_wait_end();
            outer.close();
            if (!answer)
                raise_no_answer("query", offered ? "Workers serve the code of this run, and none of them has come to it."
                                                 : "No worker serves the code of this run, by the label of its version.");
            if (answer->error) raise_answered(*answer->error);
            return one_answer(fcinfo, answer->output);
        }
        pg::sleep_for_client(patience.left_ms(waits && offered ? -1 : look_again_ms), false, "OrchQuery");
    }
}

Datum update(FunctionCallInfo fcinfo)
{
    const Arguments arguments(fcinfo);
    const core::Uuid run = arguments.uuid(0, "run");
    const std::string name = arguments.text(1, "name");
    engine::require_primary("orch.update()");
    Call call;
    const std::string id = engine::send_update(call, run, name, arguments.maybe(2), arguments.maybe_text(3));
    call.finish();
    return pg::text_datum(id);
}

Datum updates(FunctionCallInfo fcinfo)
{
    const Arguments arguments(fcinfo);
    engine::require_primary("orch.updates()");
    pg::ResultSet result(fcinfo);
    const std::string lease = arguments.text(0, "lease");
    Call call;
    for (const engine::OpenUpdate &u : engine::open_updates(engine::look_at_main(call, lease).run))
        result.add<3>({pg::text_datum(u.id), pg::text_datum(u.name), u.input});
    call.finish();
    return 0;
}

Datum await_update(FunctionCallInfo fcinfo)
{
    const Arguments arguments(fcinfo);
    const core::Uuid run = arguments.uuid(0, "run");
    const std::string id = arguments.text(1, "id");
    const Patience patience(arguments.microseconds(2));
    pg::require_top_level(fcinfo, "orch.await_update");
    shared::require_preloaded();
    pg::NonAtomic outer;
    outer.open();
    outer.commit();
    // The waiter first, then the row, as in await_run.
    const bool waits = !RecoveryInProgress() && shared::run_wait_begin(run);
    std::optional<engine::UpdateLook> look;
    for (;;) {
        in_call(outer, [&](Call &call) { look = engine::look_at_update(call, run, id); });
        if (look->state != engine::UpdateState::open || patience.over()) break;
        if (pg::sleep_for_client(patience.left_ms(waits ? -1 : look_again_ms), false, "OrchAwaitUpdate") == pg::Woken::client) break;
    }
    shared::run_wait_end();
    outer.close();
    switch (look->state) {
    case engine::UpdateState::completed: return one_answer(fcinfo, look->result);
    case engine::UpdateState::failed: raise_answered(look->result.value_or("{}"));
    case engine::UpdateState::abandoned:
        throw pg::error{pg::wrong_state, "the run was over before it answered update " + core::in_quotes(id), "It " + look->run_state + ".", {}};
    default: raise_no_answer("update", "Its run is " + look->run_state + "; the update goes on, and may be awaited again.");
    }
}

}  // namespace

}  // namespace orch::functions

ORCH_FUNCTION(orch_query, orch::functions::query)
ORCH_FUNCTION(orch_update, orch::functions::update)
ORCH_FUNCTION(orch_updates, orch::functions::updates)
ORCH_FUNCTION(orch_await_update, orch::functions::await_update)
