// The feed of events, as a stream (text/event-stream) or page by page.
#include "api/route.hpp"
#include "events/stream.hpp"

#include <nlohmann/json.hpp>

#include <charconv>

namespace orch::bridge {

namespace {

constexpr int64_t most_events_a_page = 500;
constexpr size_t rows_a_look = 500;
constexpr int most_looks = 20;

int64_t number_of_text(std::string_view text, const std::string &what)
{
    int64_t number = 0;
    const auto end = std::from_chars(text.data(), text.data() + text.size(), number);
    if (end.ec != std::errc() || end.ptr != text.data() + text.size() || number < 0)
        throw Problem(400, "bad_parameter", what + " is no position: a number from 0 on");
    return number;
}

EventFilter filter_of(const Request &request, const std::string &run)
{
    for (const char *name : {"run", "workflow", "kind"})
        if (request.parameter(name) == "") throw Problem(400, "bad_parameter", std::string(name) + " is empty").hinting("Leave it out for the events of all.");
    EventFilter filter;
    filter.tenant = request.principal.tenant.empty() ? "default" : request.principal.tenant;
    filter.run = !run.empty() ? run : request.parameter("run").value_or("");
    for (char &c : filter.run) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    filter.workflow = request.parameter("workflow").value_or("");
    const std::string kinds = request.parameter("kind").value_or("");
    for (std::string_view rest = kinds; !rest.empty();) {
        filter.kinds.emplace_back(rest.substr(0, rest.find(',')));
        rest.remove_prefix(std::min(rest.size(), filter.kinds.back().size() + 1));
    }
    return filter;
}

// The run's id as the feed writes it, and whether the caller may see it: the database says so before the stream begins.
boost::asio::awaitable<void> find_run_of(Bridge &bridge, const Request &request, EventFilter &filter)
{
    if (filter.run.empty()) co_return;
    Params run{filter.run};
    std::string sql = "select $1::uuid, (select count(*) from orch.events_after(0, 1, $1::uuid))";
    const Rows found = co_await bridge.pool.run(request.principal, std::move(sql), std::move(run));
    filter.run = found.text(0, 0);
}

bool asks_for_stream(const Request &request) { return request.header("Accept").find("text/event-stream") != std::string_view::npos; }

boost::asio::awaitable<Response> open_stream(Bridge &bridge, Request &request, EventFilter filter, bool from_the_first)
{
    if (request.parameter("limit")) throw Problem(400, "bad_parameter", "a stream has no limit").hinting("Leave Accept: text/event-stream out for a page.");
    // What the reader has seen counts for more than what the address once said.
    std::optional<int64_t> after;
    if (const std::string_view seen = request.header("Last-Event-ID"); !seen.empty()) after = number_of_text(seen, "Last-Event-ID");
    else if (const auto asked = request.parameter("after")) after = number_of_text(*asked, "after");
    co_await find_run_of(bridge, request, filter);
    std::string sql = "select orch.feed_position(), orch.engine_time()";
    Params none;
    const Rows now = co_await bridge.pool.run(request.principal, std::move(sql), std::move(none));
    const int64_t begin = after ? *after : from_the_first ? 0 : std::stoll(now.text(0, 0));
    Response response;
    response.headers.emplace_back("Content-Type", "text/event-stream");
    if (request.method != http::verb::head) response.stream = event_stream(bridge, {request.principal, std::move(filter), begin, now.text(0, 1)});
    response.farewell = ": the bridge stops\n\n";
    co_return response;
}

boost::asio::awaitable<Response> read_page(Bridge &bridge, Request &request, EventFilter filter)
{
    const auto given = request.parameter("limit");
    const int64_t limit = given ? number_of_text(*given, "limit") : 100;
    if (limit < 1 || limit > most_events_a_page) throw Problem(400, "bad_parameter", "limit is not between 1 and 500");
    int64_t after = request.parameter("after") ? number_of_text(*request.parameter("after"), "after") : 0;
    co_await find_run_of(bridge, request, filter);
    const bool sparse = !filter.workflow.empty() || !filter.kinds.empty();
    nlohmann::ordered_json items = nlohmann::ordered_json::array();
    // Where few events fit, some more are looked at than are shown.
    for (int look = 0; look < (sparse ? most_looks : 1) && static_cast<int64_t>(items.size()) < limit; look++) {
        const int64_t before = after;
        const EventPage page = co_await read_event_page(bridge, request.principal, filter, after, sparse ? rows_a_look : static_cast<size_t>(limit));
        after = page.next;
        for (nlohmann::ordered_json &item : nlohmann::ordered_json::parse(page.items)) {
            if (static_cast<int64_t>(items.size()) == limit) {
                after = items.back().at("pos").get<int64_t>();
                break;
            }
            items.push_back(std::move(item));
        }
        if (after == before) break;
    }
    nlohmann::ordered_json body;
    body["schema_version"] = 1;
    body["items"] = std::move(items);
    body["next_after"] = after;
    co_return json_response(body.dump());
}

boost::asio::awaitable<Response> list_events(Bridge &bridge, Request &request)
{
    EventFilter filter = filter_of(request, {});
    Response response;
    if (asks_for_stream(request)) response = co_await open_stream(bridge, request, std::move(filter), false);
    else response = co_await read_page(bridge, request, std::move(filter));
    co_return response;
}

boost::asio::awaitable<Response> list_run_events(Bridge &bridge, Request &request)
{
    EventFilter filter = filter_of(request, request.in_path("run"));
    Response response;
    if (asks_for_stream(request)) response = co_await open_stream(bridge, request, std::move(filter), true);
    else response = co_await read_page(bridge, request, std::move(filter));
    co_return response;
}

boost::asio::awaitable<Response> create_ticket(Bridge &bridge, Request &request)
{
    Param expires;
    if (request.principal.expires)
        expires = std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(request.principal.expires->time_since_epoch()).count());
    Params parameters{expires};
    std::string sql = "select jsonb_build_object('ticket', orch.create_event_ticket(to_timestamp($1::double precision / 1000)), 'expires_in_seconds', 60)";
    const Rows made = co_await bridge.pool.run(request.principal, std::move(sql), std::move(parameters));
    co_return json_response(made.text(0, 0), 201);
}

}  // namespace

std::span<const Route> event_routes()
{
    static const std::vector<Route> routes = {
        {http::verb::get,
         "/events",
         Minimum::viewer,
         "listEvents",
         list_events,
         {"after", "limit", "run", "workflow", "kind", "ticket"},
         BodyKind::none,
         {},
         false,
         true},
        {http::verb::get,
         "/runs/{run}/events",
         Minimum::viewer,
         "listRunEvents",
         list_run_events,
         {"after", "limit", "kind", "ticket"},
         BodyKind::none,
         {},
         false,
         true},
        {http::verb::post, "/events/ticket", Minimum::viewer, "createEventTicket", create_ticket},
    };
    return routes;
}

}  // namespace orch::bridge
