// What a worker calls. A lease that is asked for with `wait` is a long poll: an answer that begins at once and ends with the tasks, as soon as there are any.
// Who goes away meanwhile loses nothing: tasks that could not be delivered are given back.
#include "api/sql_route.hpp"
#include "work/polls.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

namespace orch::bridge {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr size_t result_limit = size_t{16} << 20;
constexpr auto longest_poll = 60s;

// A version of the protocol: a worker refuses one that it does not know.
#define ORCH_PROTOCOL "\"protocol\":1"
constexpr std::string_view nothing_to_do = "{" ORCH_PROTOCOL ",\"tasks\":[],\"cancel\":[]}";

struct Wanted {
    Principal principal;
    std::string worker;
    std::string body;  ///< {results, max_tasks, lease_time}, for the database to read
    bool exchanges = false;
    Polls::Clock::time_point until;
};

/// Tasks that were leased and not delivered yet; given back where they never are.
class Leased {
public:
    Leased(Bridge &bridge, Principal principal) : bridge_(&bridge), principal_(std::move(principal)) {}
    Leased(Leased &&) = default;
    Leased &operator=(Leased &&) = default;
    ~Leased()
    {
        if (leases_.empty() || bridge_->loop.stopped()) return;
        asio::co_spawn(
            bridge_->loop,
            [&bridge = *bridge_, principal = std::move(principal_), leases = nlohmann::json(leases_).dump()]() -> asio::awaitable<void> {
                try {
                    Params params{leases};
                    (void)co_await bridge.pool.run(principal, "select count(*) from orch.release(array(select jsonb_array_elements_text($1::jsonb)))",
                                                   std::move(params));
                } catch (const DatabaseError &) {
                    // The reaper takes them.
                }
            },
            asio::detached);
    }

    void add(std::string lease) { leases_.push_back(std::move(lease)); }
    void delivered() { leases_.clear(); }
    [[nodiscard]] bool empty() const { return leases_.empty(); }

    std::string text;     ///< the tasks, as members of a JSON array
    std::string refused;  ///< results that were, the same

private:
    Bridge *bridge_;
    Principal principal_;
    std::vector<std::string> leases_;
};

asio::awaitable<Leased> lease_now(Bridge &bridge, const Wanted &wanted)
{
    static const std::string lease = "select 'leased', t.lease, to_jsonb(t) from (select $2::jsonb) b(body),"
                                     " orch.lease($1, coalesce((b.body->>'max_tasks')::int, 1), (b.body->>'lease_time')::interval) t";
    static const std::string exchange =
        "select t.status, t.lease, case t.status when 'leased' then to_jsonb(t) - 'status' else jsonb_build_object('lease', t.lease, 'status', t.status) end"
        " from (select $2::jsonb) b(body), orch.exchange($1, coalesce(nullif(b.body->'results', 'null'), '[]'), coalesce((b.body->>'max_tasks')::int, 1),"
        " (b.body->>'lease_time')::interval) t";
    Params params{wanted.worker, wanted.body};
    const Rows rows = co_await bridge.pool.run_outside_block(wanted.principal, wanted.exchanges ? exchange : lease, std::move(params));
    Leased leased(bridge, wanted.principal);
    for (int i = 0; i < rows.size(); i++) {
        const bool is_task = rows.get(i, 0) == "leased";
        std::string &text = is_task ? leased.text : leased.refused;
        if (!text.empty()) text += ',';
        text += rows.text(i, 2);
        if (is_task) leased.add(rows.text(i, 1));
    }
    co_return leased;
}

/// Beside whoever waits for it, who may go: what was leased by then is given back.
asio::awaitable<Leased> lease_aside(Bridge &bridge, const Wanted &wanted)
{
    struct Result {
        explicit Result(Bridge &bridge) : ready(bridge.loop) { ready.expires_at(Polls::Clock::time_point::max()); }
        asio::steady_timer ready;
        std::optional<Leased> leased;
        std::exception_ptr failed;
        bool over = false;
    };
    const auto result = std::make_shared<Result>(bridge);
    asio::co_spawn(
        bridge.loop,
        [result, &bridge, wanted]() -> asio::awaitable<void> {
            try {
                Leased leased = co_await lease_now(bridge, wanted);
                result->leased.emplace(std::move(leased));
            } catch (...) {
                result->failed = std::current_exception();
            }
            result->over = true;
            result->ready.cancel();
        },
        asio::detached);
    boost::system::error_code ignored;
    if (!result->over) co_await result->ready.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    if (result->failed) std::rethrow_exception(result->failed);
    // Cancelled: the stream is over, and whoever leases holds the result alone.
    if (!result->leased) throw DatabaseError("57014", "the poll ended");
    Leased leased = std::move(*result->leased);
    result->leased.reset();
    co_return leased;
}

std::string answer_of(const Leased &leased, const std::string &cancel)
{
    std::string text = "{" ORCH_PROTOCOL ",\"tasks\":[" + leased.text + "],\"cancel\":[" + cancel + "]";
    if (!leased.refused.empty()) text += ",\"refused\":[" + leased.refused + "]";
    return text + "}";
}

// The leases of the worker that are to be cancelled, as members of a JSON array.
asio::awaitable<std::string> cancelled_leases(Bridge &bridge, const Wanted &wanted)
{
    Params params{wanted.worker};
    const Rows rows = co_await bridge.pool.run(
        wanted.principal, "select string_agg(to_json(h.lease)::text, ',') from orch.heartbeat($1) h where h.status = 'cancel'", std::move(params));
    co_return rows.text(0, 0);
}

asio::awaitable<void> poll(Bridge &bridge, Wanted wanted, Sink &sink)
{
    wanted.exchanges = false;  // its results were settled by the first look
    bool in_vain = false;
    for (;;) {
        const bool woken = co_await bridge.polls.wait(bridge, wanted.principal, wanted.worker, wanted.until);
        Leased leased(bridge, wanted.principal);
        std::string cancel;
        if (woken) {
            leased = co_await lease_aside(bridge, wanted);
            if (leased.empty()) cancel = co_await cancelled_leases(bridge, wanted);
        }
        const bool over = Polls::Clock::now() >= wanted.until;
        if (!leased.empty() || !cancel.empty() || over) {
            const std::string text = answer_of(leased, cancel);
            if (co_await sink.write(text)) leased.delivered();
            co_return;
        }
        if (std::exchange(in_vain, true)) {
            asio::steady_timer pause(bridge.loop, 50ms);
            boost::system::error_code ignored;
            co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
        }
    }
}

std::chrono::milliseconds wait_of(const Request &request)
{
    const auto found = request.json->find("wait");
    if (found == request.json->end() || found->is_null()) return 0ms;
    const double seconds = found->get<double>();
    if (!(seconds >= 0)) throw Problem(422, "bad_wait", "wait must be a number of seconds, 60 at most");
    return std::chrono::milliseconds(static_cast<int64_t>(std::min(seconds, 60.0) * 1000));
}

asio::awaitable<Response> lend(Bridge &bridge, Request &request, bool exchanges)
{
    Wanted wanted{request.principal, request.in_path("worker"), request.body, exchanges,
                  Polls::Clock::now() + std::min<std::chrono::milliseconds>(wait_of(request), longest_poll)};
    Leased found = co_await lease_now(bridge, wanted);
    const auto first = std::make_shared<Leased>(std::move(found));
    Response response;
    response.headers.emplace_back("Content-Type", "application/json");
    if (!first->empty() || !first->refused.empty() || Polls::Clock::now() >= wanted.until) {
        // As a stream, since only that knows whether it was taken.
        response.stream = [first](Sink &sink) -> asio::awaitable<void> {
            const std::string text = answer_of(*first, {});
            if (co_await sink.write(text)) first->delivered();
        };
        response.farewell.clear();
        co_return response;
    }
    response.stream = [&bridge, wanted](Sink &sink) -> asio::awaitable<void> {
        bool failed = false;
        try {
            co_await poll(bridge, wanted, sink);
        } catch (const DatabaseError &error) {
            failed = true;
            spdlog::warn("a poll of worker {} ends in vain: {} {}", wanted.worker, error.code, error.message);
        }
        // The answer has begun: what is wrong is told to whoever asks again.
        if (failed) (void)co_await sink.write(nothing_to_do);
    };
    response.farewell = nothing_to_do;
    co_return response;
}

asio::awaitable<Response> lease(Bridge &bridge, Request &request)
{
    require_fields(request, {{"max_tasks", Member::integer}, {"lease_time"}, {"wait", Member::number}});
    co_return co_await lend(bridge, request, false);
}

asio::awaitable<Response> exchange(Bridge &bridge, Request &request)
{
    require_fields(request, {{"results", Member::array}, {"max_tasks", Member::integer}, {"lease_time"}, {"wait", Member::number}});
    co_return co_await lend(bridge, request, true);
}

Source texts_in_body(std::string_view member)
{
    return [member](const Request &request) -> Param { return request.json->contains(member) ? (*request.json)[member].dump() : std::string("null"); };
}

#define ORCH_TEXTS(parameter) "(select array_agg(e) from jsonb_array_elements_text(nullif(" parameter "::jsonb, 'null')) e)"
#define ORCH_STATUSES "json_build_object('lease', r.lease, 'status', r.status)"

}  // namespace

std::span<const Route> worker_routes()
{
    using enum Minimum;
    static const std::vector<Route> routes = {
        {http::verb::post,
         "/workers/{worker}/start",
         worker,
         "startWorker",
         with_fields({{"queues", Member::texts}, {"handlers", Member::texts}, {"version", Member::text}, {"metadata"}},
                     call("select json_build_object('protocol', 1, 'worker', orch.worker_start($1, coalesce(" ORCH_TEXTS("$3") ", '{default}'), " ORCH_TEXTS(
                              "$4") ", $2::jsonb->>'version', nullif($2::jsonb->'metadata', 'null')))",
                          {in_path("worker"), in_body(), texts_in_body("queues"), texts_in_body("handlers")})),
         {},
         BodyKind::json},
        {http::verb::post, "/workers/{worker}/lease", worker, "leaseTasks", lease, {}, BodyKind::json},
        {http::verb::post, "/workers/{worker}/exchange", worker, "exchangeTasks", exchange, {}, BodyKind::json, {result_limit}},
        {http::verb::post,
         "/workers/{worker}/heartbeat",
         worker,
         "sendHeartbeat",
         with_fields({{"details", Member::object}}, call("select json_build_object('leases', coalesce(json_agg(" ORCH_STATUSES
                                                         "), '[]')) from orch.heartbeat($1, nullif($2::jsonb->'details', 'null')) r",
                                                         {in_path("worker"), in_body()})),
         {},
         BodyKind::json},
        {http::verb::post,
         "/workers/{worker}/release",
         worker,
         "releaseTasks",
         with_fields({{"leases", Member::texts, true}}, call("select json_build_object('refused', coalesce(json_agg(" ORCH_STATUSES
                                                             "), '[]')) from orch.release(coalesce(" ORCH_TEXTS("$1") ", '{}')) r",
                                                             {texts_in_body("leases")})),
         {},
         BodyKind::json},
        {http::verb::post,
         "/workers/{worker}/stop",
         worker,
         "stopWorker",
         with_fields({}, call("select json_build_object('released', orch.worker_stop($1))", {in_path("worker")})),
         {},
         BodyKind::json},
        {http::verb::post,
         "/leases/{lease}/complete",
         worker,
         "completeTask",
         with_fields({{"output"}}, done("select orch.complete($1, $2::jsonb->'output')", {in_path("lease"), in_body()})),
         {},
         BodyKind::json,
         {result_limit}},
        {http::verb::post,
         "/leases/{lease}/fail",
         worker,
         "failTask",
         with_fields({{"error", Member::object, true}, {"retry", Member::boolean}},
                     done("select orch.fail($1, $2::jsonb->'error', ($2::jsonb->>'retry')::boolean)", {in_path("lease"), in_body()})),
         {},
         BodyKind::json,
         {result_limit}},
        {http::verb::post,
         "/leases/{lease}/skip",
         worker,
         "skipTask",
         with_fields({{"reason", Member::text}}, done("select orch.skip($1, $2::jsonb->>'reason')", {in_path("lease"), in_body()})),
         {},
         BodyKind::json},
        {http::verb::post,
         "/leases/{lease}/log",
         worker,
         "logLines",
         with_fields({{"lines", Member::array, true}},
                     call("select json_build_object('stored', orch.log($1, $2::jsonb->'lines'))", {in_path("lease"), in_body()})),
         {},
         BodyKind::json,
         {size_t{2} << 20}},
    };
    return routes;
}

}  // namespace orch::bridge
