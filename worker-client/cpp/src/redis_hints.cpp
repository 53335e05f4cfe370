#include "redis_hints.hpp"

#include "core/hint.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace orch {
namespace {

using namespace std::chrono_literals;

constexpr auto patience = 2s;  // to connect, and for an answer beyond the time that it was asked to wait
constexpr auto longest_read = 5'000ms;
constexpr auto longest_pause = 5'000ms;
const std::string none_sent = "the server sends no hints to Redis";
constexpr int with_hints = 12;        // times as long between two looks
constexpr auto longest_look = 30min;  // the engine takes no longer rest than an hour

core::RedisUrl checked_url(const std::string &text)
{
    std::string wrong;
    auto url = core::parse_redis_url(text, wrong);
    if (!url)
        throw error("22023", "the URL of Redis is refused", wrong + ".",
                    "Write redis://[[user]:password@]host[:port][/database] or unix:///path/of/socket[?db=number].");
    return *url;
}

int64_t number_of(std::string_view text)
{
    int64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

/// A field of an entry's flat list of names and values.
std::string_view field_of(const redis::Reply &fields, std::string_view name)
{
    for (size_t i = 0; i + 1 < fields.list.size(); i += 2)
        if (fields.list[i].text == name) return fields.list[i + 1].text;
    return {};
}

}  // namespace

redis_hints::redis_hints(const std::string &url, std::chrono::milliseconds look, say tell)
    : url_(checked_url(url)), look_(std::clamp<std::chrono::milliseconds>(look, 10ms, longest_look)), say_(std::move(tell))
{
}

std::chrono::milliseconds redis_hints::spread(std::chrono::milliseconds length)
{
    return length * 3 / 4 + std::chrono::milliseconds(dice_() % static_cast<unsigned>(length.count() / 2 + 1));
}

std::chrono::milliseconds redis_hints::longest_rest() const noexcept { return relaxed() * 5 / 4 + longest_read + patience; }

std::chrono::milliseconds redis_hints::relaxed() const noexcept { return std::min<std::chrono::milliseconds>(look_ * with_hints, longest_look); }

void redis_hints::begin(std::vector<std::string> streams, int64_t at, time now)
{
    streams_ = std::move(streams);
    at_ = at;
    resting_ = true;
    hinted_ = false;
    const bool silent = last_trouble_ == none_sent;
    if (streams_.empty() && !silent) {
        last_trouble_ = none_sent;
        say_(log_level::warning, last_trouble_ + ": see the row redis of orch.health; looking for work every " + std::to_string(look_.count()) + " ms");
    } else if (!streams_.empty() && silent) {
        last_trouble_.clear();
    }
    // Longer only while the link is there, or may be in a moment.
    look_at_ = now + spread(streams_.empty() || !last_trouble_.empty() ? look_ : relaxed());
}

void redis_hints::end()
{
    resting_ = false;
    // A read that goes on would take a hint from those who rest.
    if (asked_.empty() && link_ && link_->open()) return;
    link_.reset();
    asked_.clear();
}

redis_hints::time redis_hints::next() const noexcept
{
    // A read that is on its way is over soon: then is the time to look, and no link has to be cut.
    if (streams_.empty()) return look_at_;
    if (!link_) return std::min(look_at_, retry_at_);
    return asked_.empty() && link_->open() ? look_at_ : patience_ends_;
}

void redis_hints::go_away(std::string why, time now)
{
    link_.reset();
    asked_.clear();
    grouped_.clear();
    retry_at_ = now + spread(pause_);
    pause_ = std::min<std::chrono::milliseconds>(pause_ * 2, longest_pause);
    look_at_ = std::min(look_at_, now + spread(look_));
    if (last_trouble_ == why) return;
    last_trouble_ = std::move(why);
    say_(log_level::warning,
         "no hints from Redis at " + url_.place() + ": " + last_trouble_ + "; looking for work every " + std::to_string(look_.count()) + " ms");
}

void redis_hints::ask(time now)
{
    for (const auto &stream : streams_) {
        if (!grouped_.insert(stream).second) continue;
        // From the first entry on: what was hinted before the group was there is for somebody, too.
        link_->command({"XGROUP", "CREATE", stream, std::string(core::hint_group), "0", "MKSTREAM"});
        asked_.push_back(asked::group);
    }
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(look_at_ - now);
    const auto wait = std::clamp<std::chrono::milliseconds>(left, 1ms, longest_read);
    std::vector<std::string> words{"XREADGROUP", "GROUP", std::string(core::hint_group), "worker", "COUNT",
                                   "1",          "BLOCK", std::to_string(wait.count()),  "NOACK",  "STREAMS"};
    words.insert(words.end(), streams_.begin(), streams_.end());
    words.insert(words.end(), streams_.size(), ">");
    link_->command(words);
    asked_.push_back(asked::read);
    patience_ends_ = now + wait + patience;
}

bool redis_hints::fresh(const redis::Reply &reply)
{
    bool any = false;
    int64_t newer = 0;
    for (const auto &stream : reply.list) {
        if (stream.list.size() != 2) continue;
        for (const auto &entry : stream.list[1].list) {
            if (entry.list.size() != 2) continue;
            const auto schema = number_of(field_of(entry.list[1], "v"));
            if (schema <= core::hint_schema) any |= number_of(field_of(entry.list[1], "at")) >= at_;
            else newer = schema;
        }
    }
    if (newer > 0) refuse_schema(newer);
    return any;
}

void redis_hints::refuse_schema(int64_t newer)
{
    const auto why =
        "its hints have schema " + std::to_string(newer) + ", and this worker knows " + std::to_string(core::hint_schema) + ": bring it up to date";
    if (std::exchange(last_trouble_, why) != why) say_(log_level::error, "hints from Redis at " + url_.place() + " are refused: " + why);
    // Whoever knows them shall have them.
    streams_.clear();
    look_at_ = std::min(look_at_, clock::now() + spread(look_));
}

void redis_hints::answered(const redis::Reply &reply, time now)
{
    const auto was = asked_.front();
    asked_.erase(asked_.begin());
    if (reply.kind != redis::Reply::Kind::error) {
        if (was == asked::read) hinted_ |= fresh(reply);
        return;
    }
    if (was == asked::group && reply.text.starts_with("BUSYGROUP")) return;
    // Flushed, or expired: the next question makes them anew.
    if (was == asked::read && (reply.text.starts_with("NOGROUP") || reply.text.starts_with("UNBLOCKED"))) return grouped_.clear();
    go_away(reply.text, now);
}

bool redis_hints::pump(time now)
{
    if (!resting_) return false;
    if (!streams_.empty() && !link_ && now >= retry_at_) {
        link_ = std::make_unique<redis::Link>(url_);
        asked_.clear();
        greeted_ = false;
        patience_ends_ = clock::now() + patience;
    }
    if (link_) {
        link_->pump();
        while (link_) {
            const auto reply = link_->reply();
            if (!reply) break;
            answered(*reply, now);
        }
        if (link_ && !link_->broken().empty()) go_away(link_->broken(), now);
        if (link_ && link_->open() && !std::exchange(greeted_, true)) {
            if (!last_trouble_.empty()) say_(log_level::info, "hints from Redis at " + url_.place() + " again");
            last_trouble_.clear();
            pause_ = 100ms;
        }
        if (hinted_) return true;
        if (link_ && link_->open() && asked_.empty() && now < look_at_) {
            ask(now);
            link_->pump();
        }
        if (link_ && now >= patience_ends_ && !(link_->open() && asked_.empty())) go_away("it does not answer", now);
    }
    return now >= look_at_ && asked_.empty();
}

}  // namespace orch
