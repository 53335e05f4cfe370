#include "engine/question.hpp"

#include "core/spec.hpp"
#include "engine/code_run.hpp"
#include "engine/document.hpp"
#include "engine/erase.hpp"
#include "engine/run_look.hpp"
#include "shared/routes.hpp"
#include "shared/run_ids.hpp"
#include "shared/settings.hpp"

namespace orch::engine {

namespace {

constexpr size_t longest_question_name = 1000;
constexpr int kept_after_s = 60;

// Answered before what has a priority of its own: somebody sits there and waits.
constexpr int question_priority = 100;

void remove_left_behind(Call &call)
{
    static pg::Statement remove("delete from _orch.question where question_id in ("
                                " select q.question_id from _orch.question q where q.gives_up_at < $1 limit 100 for update skip locked)",
                                {TIMESTAMPTZOID});
    remove.run(Parameters<1>().add(time_datum(call.now() - kept_after_s * USECS_PER_SEC)));
}

Datum spec_of_question(const Version &version, const std::string &name, const std::optional<Datum> &input)
{
    std::string text = R"({"query":{"name":)" + core::to_text(std::string_view(name));
    if (input) text += R"(,"input":)" + pg::json_text_of(*input);
    const Datum spec = pg::jsonb_datum(core::to_text(core::spec_of(version.task(main_task)))), added = pg::jsonb_datum(text + "}}");
    Datum both = 0;
    pg::call_pg([&] { both = DirectFunctionCall2(jsonb_concat, spec, added); });
    return both;
}

}  // namespace

RunId ask(Call &call, const RunId &run, const std::string &name, std::optional<Datum> input, int64 timeout_us)
{
    static pg::Statement insert("insert into _orch.question (question_id, run_id, version_id, gives_up_at, name, input) values ($1, $2, $3, $4, $5, $6)",
                                {UUIDOID, UUIDOID, INT4OID, TIMESTAMPTZOID, TEXTOID, JSONBOID});
    if (name.empty() || name.size() > longest_question_name)
        throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE, "the name of a query has " + std::to_string(name.size()) + " bytes, not 1 to 1000", {}, {}};
    refuse_large("the input", input);
    require_open();
    const RunLook look = look_at_run(call, run);
    require_code(run, *look.version);
    refuse_erased(run);
    remove_left_behind(call);
    const RunId question = shared::next_run_ids(1);
    insert.run(Parameters<6>()
                   .add(pg::uuid_datum(question))
                   .add(pg::uuid_datum(run))
                   .add(Int32GetDatum(look.version->version_id))
                   .add(time_datum(call.now() + timeout_us))
                   .add(pg::text_datum(name))
                   .add(input));
    return question;
}

bool offer_question(Call &call, const RunId &question)
{
    static pg::Statement select("select q.version_id from _orch.question q where q.question_id = $1", {UUIDOID});
    const pg::Rows rows = select.run(Parameters<1>().add(pg::uuid_datum(question)));
    if (rows.empty()) return true;
    const int slot = route_slot_of(version_of(rows.int4(0, 1)), main_task);
    if (shared::workers_serving(slot) == 0) return false;
    shared::on_commit_ready({question, question_task}, slot, sort_key(call.now(), question_priority));
    return true;
}

std::optional<Answer> answer_of(Call &, const RunId &question)
{
    static pg::Statement select("select q.output, q.error from _orch.question q where q.question_id = $1 and q.answered", {UUIDOID});
    const pg::Rows rows = select.run(Parameters<1>().add(pg::uuid_datum(question)));
    if (rows.empty()) return std::nullopt;
    Answer answer;
    if (const auto output = rows.maybe(0, 1)) answer.output = pg::json_text_of(*output);
    if (const auto error = rows.maybe(0, 2)) answer.error = pg::json_text_of(*error);
    return answer;
}

void forget_question(Call &, const RunId &question)
{
    static pg::Statement remove("delete from _orch.question where question_id = $1", {UUIDOID});
    remove.run(Parameters<1>().add(pg::uuid_datum(question)));
}

void take_questions(Call &call, std::vector<TaskRef> &candidates, const WorkerIdentity &worker, uint64 token, int64 lease_time_us,
                    std::vector<LeasedTask> &leased)
{
    static pg::Statement take("update _orch.question q set token = $2, worker_id = $3 where q.question_id in ("
                              " select l.question_id from _orch.question l where l.question_id = any($1) and l.token is null and l.gives_up_at > $4"
                              " for update skip locked) returning q.question_id, q.run_id, q.version_id, q.name, q.input, q.gives_up_at",
                              {UUIDARRAYOID, INT8OID, INT4OID, TIMESTAMPTZOID});
    const auto first = std::stable_partition(candidates.begin(), candidates.end(), [](const TaskRef &task) { return !is_question(task); });
    if (first == candidates.end()) return;
    pg::Column ids(UUIDOID);
    for (auto task = first; task != candidates.end(); ++task) ids.add(task->run);
    candidates.erase(first, candidates.end());
    const pg::Rows rows = take.run(
        Parameters<4>().add(ids.array()).add(Int64GetDatum(static_cast<int64>(token))).add(Int32GetDatum(worker.worker_id)).add(time_datum(call.now())));
    for (uint64 i = 0; i < rows.count(); i++) {
        const RunId question = pg::uuid_of(rows.get(i, 1)), run = pg::uuid_of(rows.get(i, 2));
        if (!leaf_exists(day_of(run))) continue;
        const Version &version = version_of(rows.int4(i, 3));
        leased.push_back({core::encode_lease({question, question_task, 1, token}),
                          run,
                          question_task,
                          1,
                          &version,
                          spec_of_question(version, rows.text(i, 4), rows.maybe(i, 5)),
                          pg::jsonb_datum(input_of(run)),
                          rows.time(i, 6),
                          {}});
        if (!shared::on_commit_lease({question, question_task}, 1, static_cast<int64>(token), worker.slot, lease_time_us))
            throw pg::error{ERRCODE_CONFIGURATION_LIMIT_EXCEEDED, "no more than 131072 tasks can be leased at a time", {}, "Settle or release some first."};
    }
}

std::optional<RunId> run_of_question(const core::Lease &lease)
{
    static pg::Statement select("select q.run_id from _orch.question q where q.question_id = $1 and q.token = $2 and not q.answered", {UUIDOID, INT8OID});
    const pg::Rows rows = select.run(Parameters<2>().add(pg::uuid_datum(lease.run_id)).add(Int64GetDatum(static_cast<int64>(lease.token))));
    if (rows.empty()) return std::nullopt;
    return pg::uuid_of(rows.get(0, 1));
}

void settle_question(Call &, const WorkerIdentity *worker, Settlement &s)
{
    static pg::Statement update("update _orch.question q set answered = true, output = $3, error = $4 where q.question_id = $1 and q.token = $2"
                                " and not q.answered and ($5 = 0 or q.worker_id = $5)",
                                {UUIDOID, INT8OID, JSONBOID, JSONBOID, INT4OID});
    s.over = true;
    const auto token = static_cast<int64>(s.lease->token);
    std::optional<Datum> output = s.output, error = s.error;
    const std::optional<Datum> &result = error ? error : output;
    s.size = result ? pg::jsonb_size(*result) : 0;
    const bool large = s.size > static_cast<size_t>(settings::max_result_bytes);
    if (large) {
        output.reset();
        error = error_json("validation", "too_large", "the answer has " + std::to_string(s.size) + " bytes, more than orch.max_result_bytes");
    }
    update.run(Parameters<5>()
                   .add(pg::uuid_datum(s.lease->run_id))
                   .add(Int64GetDatum(token))
                   .add(output)
                   .add(error)
                   .add(Int32GetDatum(worker ? worker->worker_id : 0)));
    shared::on_commit_unlease({s.lease->run_id, question_task}, token);
    s.status = update.processed() == 0 ? SettleStatus::lost : large ? SettleStatus::too_large : SettleStatus::ok;
    if (update.processed() > 0) shared::on_commit_told(s.lease->run_id);
}

bool offer_again(Call &call, const RunId &question, int64 token)
{
    static pg::Statement update("update _orch.question q set token = null, worker_id = null where q.question_id = $1 and q.token = $2 and not q.answered",
                                {UUIDOID, INT8OID});
    update.run(Parameters<2>().add(pg::uuid_datum(question)).add(Int64GetDatum(token)));
    const bool given_back = update.processed() > 0;
    shared::on_commit_unlease({question, question_task}, token);
    if (given_back) offer_question(call, question);
    return given_back;
}

}  // namespace orch::engine
