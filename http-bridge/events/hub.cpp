#include "events/hub.hpp"

#include "bridge.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>

namespace orch::bridge {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr size_t most_events = 8192;
constexpr size_t most_bytes = size_t{8} << 20;
constexpr int rows_a_time = 500;

Pool::Settings feed_pool(const Options &options)
{
    Pool::Settings settings;
    settings.url = options.direct_database;
    settings.size = 1;
    settings.statement_time = 60s;
    return settings;
}

}  // namespace

std::string array_of(const std::vector<std::string> &texts)
{
    std::string array = "{";
    for (const std::string &text : texts) {
        array += array.size() > 1 ? ",\"" : "\"";
        for (const char c : text) {
            if (c == '"' || c == '\\') array += '\\';
            array += c;
        }
        array += '"';
    }
    return array + "}";
}

bool EventFilter::lets_through(const FeedEvent &event) const
{
    return event.tenant == tenant && (run.empty() || event.run_id == run) && (workflow.empty() || event.workflow == workflow) &&
           (kinds.empty() || std::find(kinds.begin(), kinds.end(), event.kind) != kinds.end());
}

Hub::Reader::Reader(Hub &hub, Principal principal, std::string since)
    : news(hub.bridge_.loop, std::chrono::steady_clock::time_point::max()), principal_(std::move(principal)), since_(std::move(since)), all_(hub.readers_)
{
    place_ = all_->insert(all_->end(), this);
    if (!hub.following_ && !hub.stopped_) {
        hub.following_ = true;
        asio::co_spawn(hub.bridge_.loop, hub.follow(), asio::detached);
    }
    if (!hub.watching_ && !hub.stopped_) {
        hub.watching_ = true;
        asio::co_spawn(hub.bridge_.loop, hub.watch_tokens(), asio::detached);
    }
}

Hub::Reader::~Reader() { all_->erase(place_); }

Hub::Hub(Bridge &bridge) : bridge_(bridge), pool_(bridge.loop.get_executor(), feed_pool(bridge.options)), pause_(bridge.loop) {}

void Hub::stop()
{
    stopped_ = true;
    pool_.stop();
    pause_.cancel();
    wake_readers();
}

Hub::Status Hub::status() const
{
    const auto behind = following_ ? std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - answered_) : 0ms;
    return {readers_->size(), events_.size(), bytes_, read_, following_, behind};
}

void Hub::wake_readers()
{
    for (Reader *reader : *readers_) reader->news.cancel();
}

void Hub::keep(FeedEvent event)
{
    bytes_ += event.text.size();
    events_.push_back(std::make_shared<const FeedEvent>(std::move(event)));
    read_++;
    while (events_.size() > most_events || bytes_ > most_bytes) {
        kept_from_ = events_.front()->pos;
        bytes_ -= events_.front()->text.size();
        events_.pop_front();
    }
}

std::vector<std::shared_ptr<const FeedEvent>> Hub::after(int64_t &after, const EventFilter &filter, size_t bytes) const
{
    std::vector<std::shared_ptr<const FeedEvent>> found;
    auto event = std::upper_bound(events_.begin(), events_.end(), after, [](int64_t pos, const auto &e) { return pos < e->pos; });
    for (size_t size = 0; event != events_.end() && size < bytes; ++event) {
        after = (*event)->pos;
        if (!filter.lets_through(**event)) continue;
        size += (*event)->text.size();
        found.push_back(*event);
    }
    if (event == events_.end()) after = std::max(after, read_to_);
    return found;
}

asio::awaitable<int64_t> Hub::end_of_feed()
{
    std::string ask = "select orch.feed_position()";
    Params none;
    const Rows end = co_await pool_.run_as_bridge(std::move(ask), std::move(none));
    answered_ = std::chrono::steady_clock::now();
    co_return std::stoll(end.text(0, 0));
}

asio::awaitable<int> Hub::read_some()
{
    Params range{std::to_string(read_to_), std::to_string(rows_a_time)};
    std::string read = "select pos, tenant, workflow, run_id, kind, event from orch.feed_lines($1::bigint, $2::int)";
    const Rows rows = co_await pool_.run_as_bridge(std::move(read), std::move(range));
    answered_ = std::chrono::steady_clock::now();
    for (int i = 0; i < rows.size(); i++) {
        FeedEvent event{std::stoll(rows.text(i, 0)), rows.text(i, 1), rows.text(i, 2), rows.text(i, 3), rows.text(i, 4), rows.text(i, 5)};
        read_to_ = event.pos;
        keep(std::move(event));
    }
    if (rows.size() > 0) wake_readers();
    co_return rows.size();
}

asio::awaitable<void> Hub::read_once()
{
    if (!began_) {
        // After a break it goes on where it was; after a time without readers, here.
        read_to_ = kept_from_ = co_await end_of_feed();
        began_ = true;
        wake_readers();
    }
    Params position{std::to_string(read_to_)};
    std::string wait = "call orch.await_events($1::bigint, interval '10 seconds')";
    (void)co_await pool_.run_as_bridge(std::move(wait), std::move(position));
    answered_ = std::chrono::steady_clock::now();
    int count = co_await read_some();
    if (count == 0) {
        // Positions of what was rolled back: without a step over them the wait would end at once, again and again.
        const int64_t end = co_await end_of_feed();
        count = co_await read_some();
        if (count < rows_a_time) read_to_ = std::max(read_to_, end);
    }
    while (count == rows_a_time) count = co_await read_some();
}

asio::awaitable<void> Hub::follow()
{
    answered_ = std::chrono::steady_clock::now();
    auto wait = 100ms;
    while (!stopped_ && !readers_->empty()) {
        bool failed = false;
        try {
            co_await read_once();
        } catch (const std::exception &error) {
            if (!stopped_) spdlog::warn("the feed of events cannot be followed: {}", error.what());
            failed = true;
        }
        if (!failed) {
            wait = 100ms;
            continue;
        }
        boost::system::error_code ignored;
        pause_.expires_after(wait);
        co_await pause_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
        wait = std::min<std::chrono::milliseconds>(wait * 2, 5s);
    }
    // Nobody listens: what is kept would be of no use to whoever comes next.
    following_ = began_ = false;
    events_.clear();
    bytes_ = 0;
}

// One question for all streams: whose token has been revoked meanwhile.
asio::awaitable<void> Hub::watch_tokens()
{
    asio::steady_timer timer(bridge_.loop);
    while (!stopped_ && !readers_->empty()) {
        boost::system::error_code ignored;
        timer.expires_after(bridge_.options.keep_alive / 2);
        co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
        std::map<std::tuple<std::string, std::string, std::string>, int> asked;
        std::vector<std::string> tenants, names, since;
        for (const Reader *reader : *readers_) {
            const Principal &who = reader->principal_;
            if (who.kind != "token" || who.name.empty()) continue;
            if (!asked.emplace(std::tuple(who.tenant, who.name, reader->since_), static_cast<int>(names.size()) + 1).second) continue;
            tenants.push_back(who.tenant);
            names.push_back(who.name);
            since.push_back(reader->since_);
        }
        if (stopped_ || names.empty()) continue;
        std::vector<bool> gone(names.size() + 1, false);
        try {
            Params lists{array_of(tenants), array_of(names), array_of(since)};
            std::string ask = "select orch.tokens_ended($1::text[], $2::text[], $3::timestamptz[])";
            const Rows rows = co_await bridge_.pool.run_as_bridge(std::move(ask), std::move(lists));
            for (int i = 0; i < rows.size(); i++) gone.at(std::stoul(rows.text(i, 0))) = true;
        } catch (const std::exception &error) {
            spdlog::warn("tokens of streams cannot be checked: {}", error.what());
            continue;
        }
        for (Reader *reader : *readers_) {
            const Principal &who = reader->principal_;
            const auto found = asked.find(std::tuple(who.tenant, who.name, reader->since_));
            if (who.kind != "token" || found == asked.end() || !gone[static_cast<size_t>(found->second)]) continue;
            reader->ended = true;
            reader->news.cancel();
        }
    }
    watching_ = false;
}

}  // namespace orch::bridge
