// Redis carries hints, never truth: whatever happens to it, a commit sets a bit and goes on, and only this process waits.
//
//   away        connects, again after a pause that grows to five seconds; marks gather meanwhile, a bit and a count a route
//   connected   every ready route is marked once, since hints sent before may be lost; then, woken by the first mark, it takes what is marked, sends it in one write, and
//               takes no more until Redis has answered all: so a slow Redis gets fewer and larger batches, and one that does not answer for two seconds counts as away
//
// It belongs to no database, so it is in nobody's way, runs no statement, and reads no row: what a hint tells lies in shared memory. It is the only process that calls hiredis.
#include "background/redis_notifier.hpp"

#include "background/processes.hpp"
#include "background/turn.hpp"
#include "core/hint.hpp"
#include "pg/compat.hpp"
#include "redis/link.hpp"
#include "shared/clock.hpp"
#include "shared/hints.hpp"
#include "shared/settings.hpp"

#include <chrono>

namespace orch::background {

namespace {

using shared::NotifierState;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto patience = 2s;  // to connect, and for an answer
constexpr auto first_pause = 100ms;
constexpr auto longest_pause = 5'000ms;
constexpr int64_t start_again_ms = 5'000;
constexpr int routes_in_a_batch = 64;
constexpr int readers_in_a_batch = 2'000;
constexpr int64_t from_2000_to_1970_us = int64_t{POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE} * USECS_PER_DAY;
constexpr const char *stream_life = "86400";  // seconds: of a route that is not used any more nothing stays behind

struct Notifier {
    std::string text;  // orch.redis_url as it was when this was read
    core::RedisUrl url;
    std::unique_ptr<redis::Link> link;
    bool connected = false;
    bool more = false;  // marks that did not fit into the last batch
    Clock::time_point retry_at, patience_ends;
    std::chrono::milliseconds pause = first_pause;
    std::string reason;  // as it was logged last
    shared::Hint hints[routes_in_a_batch];
};

void log_change(const char *message, const std::string &place, const std::string &reason)
{
    pg::call_pg([&] {
        ereport(LOG, (errmsg(message, place.c_str()), reason.empty() ? 0 : errdetail("%s", reason.c_str()),
                      reason.empty() ? 0 : errhint("Nothing is lost: workers that wait for hints look by themselves every few seconds.")));
    });
}

void go_away(Notifier &n, std::string why)  // by value: the link, which goes, may own it
{
    n.link.reset();
    n.connected = n.more = false;
    n.retry_at = Clock::now() + n.pause;
    n.pause = std::min<std::chrono::milliseconds>(n.pause * 2, longest_pause);
    shared::set_notifier_status(NotifierState::away, n.url.place(), why);
    if (n.reason == why) return;
    n.reason = std::move(why);
    log_change("orch: no hints go to Redis at %s", n.url.place(), n.reason);
}

void arrive(Notifier &n)
{
    n.connected = true;
    n.pause = first_pause;
    n.reason.clear();
    shared::set_notifier_status(NotifierState::connected, n.url.place(), {});
    log_change("orch: hints go to Redis at %s", n.url.place(), {});
    shared::hint_everything();
}

void send_hints(Notifier &n)
{
    if (!shared::hints_begin() && !n.more) return;
    const int count = shared::take_hints(routes_in_a_batch, readers_in_a_batch, n.hints, n.more);
    for (int i = 0; i < count; i++) {
        const shared::Hint &hint = n.hints[i];
        const std::string stream = core::hint_stream(hint.database, hint.tenant, hint.queue, hint.handler);
        for (int reader = 0; reader < hint.readers; reader++)
            n.link->command({"XADD", stream, "MAXLEN", "~", std::to_string(core::hints_kept), "*", "v", std::to_string(core::hint_schema), "route",
                             std::to_string(hint.route_id), "count", std::to_string(hint.ready), "at", std::to_string(hint.at + from_2000_to_1970_us)});
        n.link->command({"EXPIRE", stream, stream_life});
    }
    if (count > 0) n.patience_ends = Clock::now() + patience;
    n.link->pump();
}

/// What can be done without waiting.
void do_what_goes(Notifier &n)
{
    const auto now = Clock::now();
    if (!n.link) {
        if (now < n.retry_at) return;
        n.link = std::make_unique<redis::Link>(n.url);
        n.patience_ends = Clock::now() + patience;
    }
    n.link->pump();
    while (const auto reply = n.link->reply()) {
        n.patience_ends = now + patience;
        if (reply->kind == redis::Reply::Kind::error) return go_away(n, reply->text);
    }
    if (n.link->open() && !n.connected) arrive(n);
    while (n.link->open() && n.link->unanswered() == 0) {
        send_hints(n);
        if (!n.more) break;
    }
    if (!n.link->broken().empty()) return go_away(n, n.link->broken());
    if (n.link->unanswered() > 0 && now >= n.patience_ends) go_away(n, "It has not answered for two seconds.");
}

/// -1: until something comes.
long sleep_ms(const Notifier &n)
{
    if (n.link && n.link->unanswered() == 0) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>((n.link ? n.patience_ends : n.retry_at) - Clock::now()).count();
    return std::max<long>(left, 0);
}

void wait_for_news(const Notifier &n)
{
    const long timeout = sleep_ms(n);
    const pgsocket socket = n.link ? n.link->socket() : PGINVALID_SOCKET;
    const bool write = n.link && n.link->wants_write();
    pg::call_pg([&] {
        int events = WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | (timeout >= 0 ? WL_TIMEOUT : 0);
        if (socket != PGINVALID_SOCKET) events |= WL_SOCKET_READABLE | (write ? WL_SOCKET_WRITEABLE : 0);
        const int happened = WaitLatchOrSocket(MyLatch, events, socket, timeout, pg::wait_event("OrchNotifierMain"));
        if (happened & WL_LATCH_SET) ResetLatch(MyLatch);
        CHECK_FOR_INTERRUPTS();
        if (ConfigReloadPending) {
            ConfigReloadPending = false;
            ProcessConfigFile(PGC_SIGHUP);
        }
    });
}

/// False where there is nothing to do any more.
bool follow_setting(Notifier &n)
{
    const char *text = settings::redis_url ? settings::redis_url : "";
    if (n.text == text) return true;
    n.text = text;
    if (n.text.empty()) return false;
    std::string wrong;
    const auto url = core::parse_redis_url(n.text, wrong);  // the setting was checked when it was made
    if (!url) return false;
    n.url = *url;
    n.link.reset();
    n.connected = n.more = false;
    n.retry_at = {};
    n.pause = first_pause;
    n.reason.clear();
    shared::set_notifier_status(NotifierState::connecting, n.url.place(), {});
    return true;
}

void notifier_main(Datum)
{
    begin_worker(InvalidOid, InvalidOid);
    if (!shared::become_notifier()) pg::call_pg([] { proc_exit(0); });  // 0: another one is alive
    Notifier n;
    while (follow_setting(n)) {
        do_what_goes(n);
        wait_for_news(n);
    }
    n.link.reset();
    pg::call_pg([] { proc_exit(0); });  // 0: the launcher starts another one when it is wanted
}

BackgroundWorkerHandle *notifier;
int64_t notifier_not_before;  // monotonic
bool no_place_for_notifier;

/// The message for a wrong value, in memory that outlives the frame with C++ objects; empty where it is right.
bool is_wrong(const char *text, char (&message)[256])
{
    if (!*text) return false;
    std::string wrong;
    if (core::parse_redis_url(text, wrong)) return false;
    strlcpy(message, wrong.c_str(), sizeof(message));
    return true;
}

}  // namespace

int64_t look_after_notifier()
{
    const int64_t now = shared::monotonic_us();
    if (notifier && !is_running(notifier)) {
        pfree(notifier);
        notifier = nullptr;
    }
    if (!settings::redis_url || !*settings::redis_url || notifier || shared::notifier_pid() != 0) return -1;
    if (notifier_not_before > now) return (notifier_not_before - now) / 1000 + 1;
    notifier_not_before = now + start_again_ms * 1000;
    notifier = start_process("orch redis notifier", "orch redis notifier", "orch_redis_notifier_main", static_cast<Datum>(0), nullptr, 0);
    if (!notifier && !no_place_for_notifier)
        pg::call_pg(
            [] { ereport(LOG, (errmsg("orch: no place for the Redis notifier; trying again every five seconds"), errhint("Raise max_worker_processes."))); });
    no_place_for_notifier = !notifier;
    return notifier ? -1 : start_again_ms;
}

bool check_redis_url(char **value, void **, GucSource)
{
    char message[256];
    bool wrong = true;
    try {
        wrong = is_wrong(*value, message);
    } catch (...) {
        strlcpy(message, "out of memory", sizeof(message));
    }
    // Not PostgreSQL's own message, which repeats the value: it may hold a password.
    if (wrong) {
        GUC_check_errmsg("invalid value for parameter \"orch.redis_url\"");
        GUC_check_errdetail("%s.", message);
    }
    return !wrong;
}

}  // namespace orch::background

extern "C" {
PGDLLEXPORT void orch_redis_notifier_main(Datum argument) { orch::pg::guarded<orch::background::notifier_main>(argument); }
}
