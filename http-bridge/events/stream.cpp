#include "events/stream.hpp"

#include "bridge.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

namespace orch::bridge {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t page_rows = 50;
constexpr size_t chunk_bytes = 64 << 10;

void add_event(std::string &text, int64_t pos, std::string_view kind, std::string_view json)
{
    text += "id: " + std::to_string(pos) + "\nevent: ";
    text += kind;
    text += "\ndata: ";
    text += json;
    text += "\n\n";
}

class EventStream {
public:
    EventStream(Bridge &bridge, EventRequest request) : bridge_(bridge), request_(std::move(request)), reader_(*bridge.hub, request_.principal, request_.since)
    {
    }

    asio::awaitable<void> run(Sink &sink)
    {
        // A browser that was cut off comes back after so long.
        std::string text = "retry: 2000\n: orch events, schema 1\n\n";
        for (;;) {
            if (reader_.ended || has_expired()) {
                text += "event: end\ndata: {\"reason\":\"the token has ended\"}\n\n";
                (void)co_await sink.write(text);
                co_return;
            }
            if (gone_) co_return;
            const int64_t before = after_;
            bool more = false;
            if (!bridge_.hub->reaches_back_to(after_)) more = co_await read_page(text);
            else read_kept(text);
            if (text.empty() && Clock::now() >= quiet_until_) {
                // The position goes along, so that whoever comes back does not read again what was of no concern to him.
                text = "id: " + std::to_string(after_) + "\n: keep-alive\n\n";
            }
            if (!text.empty()) {
                const bool sent = co_await sink.write(text);
                if (!sent) co_return;
                text.clear();
                quiet_until_ = Clock::now() + bridge_.options.keep_alive;
                continue;
            }
            if (more || gone_ || after_ != before) continue;
            boost::system::error_code ignored;
            reader_.news.expires_at(wake_at());
            co_await reader_.news.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
        }
    }

private:
    bool has_expired() const { return request_.principal.expires && *request_.principal.expires <= std::chrono::system_clock::now(); }

    Clock::time_point wake_at() const
    {
        Clock::time_point at = quiet_until_;
        if (!bridge_.hub->reaches_back_to(after_)) at = std::min(at, Clock::now() + 1s);
        if (request_.principal.expires)
            at = std::min(at, Clock::now() + std::chrono::duration_cast<Clock::duration>(*request_.principal.expires - std::chrono::system_clock::now()) + 1ms);
        return at;
    }

    void read_kept(std::string &text)
    {
        for (const auto &event : bridge_.hub->after(after_, request_.filter, chunk_bytes)) add_event(text, event->pos, event->kind, event->text);
    }

    // False where the database has nothing more for now, or does not answer.
    asio::awaitable<bool> read_page(std::string &text)
    {
        const int64_t before = after_;
        try {
            const EventPage page = co_await read_event_page(bridge_, request_.principal, request_.filter, after_, page_rows);
            const nlohmann::ordered_json items = nlohmann::ordered_json::parse(page.items);
            for (const auto &item : items) add_event(text, item.at("pos").get<int64_t>(), item.at("kind").get<std::string>(), item.dump());
            after_ = page.next;
        } catch (const DatabaseError &error) {
            // A stream outlives a database that is away for a while, but not what it shows.
            if (status_of(error.code) < 500) gone_ = true;
            spdlog::debug("a stream of events waits for the database: {}", error.message);
        }
        co_return after_ != before;
    }

    Bridge &bridge_;
    EventRequest request_;
    int64_t after_ = request_.after;
    Hub::Reader reader_;
    bool gone_ = false;
    Clock::time_point quiet_until_ = Clock::now() + bridge_.options.keep_alive;
};

}  // namespace

asio::awaitable<EventPage> read_event_page(Bridge &bridge, const Principal &principal, const EventFilter &filter, int64_t after, size_t rows)
{
    const auto text_or_null = [](const std::string &text) { return text.empty() ? Param() : Param(text); };
    Param kinds;
    if (!filter.kinds.empty()) kinds = array_of(filter.kinds);
    Params parameters{std::to_string(after), std::to_string(rows), text_or_null(filter.run), text_or_null(filter.workflow), kinds};
    std::string sql = "select items, next_pos from orch.event_page($1::bigint, $2::int, $3::uuid, $4, $5::text[])";
    const Rows page = co_await bridge.pool.run(principal, std::move(sql), std::move(parameters));
    co_return EventPage{page.text(0, 0), std::stoll(page.text(0, 1))};
}

Stream event_stream(Bridge &bridge, EventRequest request)
{
    // Made when the stream begins, and gone with it: cancelled or not.
    return [&bridge, request = std::move(request)](Sink &sink) -> asio::awaitable<void> {
        EventStream stream(bridge, request);
        co_await stream.run(sink);
    };
}

}  // namespace orch::bridge
