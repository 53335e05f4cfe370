#include "telemetry/exporter.hpp"

#include "bridge.hpp"
#include "telemetry/spans.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <curl/curl.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include <cstdlib>

namespace orch::bridge {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr int rows_a_page = 500;

Pool::Settings export_pool(const Options &options)
{
    Pool::Settings settings;
    settings.url = options.direct_database;
    settings.size = 1;  // the lock is the session's
    settings.statement_time = 60s;
    return settings;
}

std::string from_percent(std::string_view text)
{
    std::string plain;
    for (size_t i = 0; i < text.size(); i++) {
        if (text[i] == '%' && i + 2 < text.size() && std::isxdigit(static_cast<unsigned char>(text[i + 1])) &&
            std::isxdigit(static_cast<unsigned char>(text[i + 2]))) {
            plain += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
            i += 2;
        } else plain += text[i];
    }
    return plain;
}

// OTEL_EXPORTER_OTLP_HEADERS as OpenTelemetry has it: name=value,name=value. They may be secret, so they come by the environment alone.
std::vector<std::string> headers_of_environment()
{
    std::vector<std::string> headers{"Content-Type: application/json"};
    const char *given = std::getenv("OTEL_EXPORTER_OTLP_HEADERS");
    std::string_view rest = given == nullptr ? "" : given;
    while (!rest.empty()) {
        const std::string_view one = rest.substr(0, rest.find(','));
        rest.remove_prefix(std::min(rest.size(), one.size() + 1));
        const auto equals = one.find('=');
        if (equals != one.npos && equals > 0) headers.push_back(std::string(one.substr(0, equals)) + ": " + from_percent(one.substr(equals + 1)));
    }
    return headers;
}

int is_over(void *stopped, curl_off_t, curl_off_t, curl_off_t, curl_off_t) { return static_cast<std::atomic<bool> *>(stopped)->load() ? 1 : 0; }

size_t drop(char *, size_t size, size_t count, void *) { return size * count; }

/// The status of the answer, 0 where none came. Blocks.
int post_blocking(const std::string &url, const std::vector<std::string> &headers, const std::string &body, std::atomic<bool> &stopped)
{
    CURL *curl = curl_easy_init();
    if (curl == nullptr) return 0;
    curl_slist *list = nullptr;
    for (const std::string &header : headers) list = curl_slist_append(list, header.c_str());
    curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.data());
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 10'000L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, drop);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, is_over);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &stopped);
    long status = 0;
    if (curl_easy_perform(curl) == CURLE_OK) curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(list);
    curl_easy_cleanup(curl);
    return static_cast<int>(status);
}

bool is_refusal(int status) { return status >= 400 && status < 500 && status != 408 && status != 429; }

}  // namespace

SpanExporter::SpanExporter(Bridge &bridge)
    : bridge_(bridge), endpoint_(bridge.options.otlp_endpoint), headers_(headers_of_environment()),
      pool_(bridge.loop.get_executor(), export_pool(bridge.options)), timer_(bridge.loop)
{
    if (endpoint_.empty()) return;
    while (endpoint_.ends_with('/')) endpoint_.pop_back();
    if (!endpoint_.ends_with("/v1/traces")) endpoint_ += "/v1/traces";
}

void SpanExporter::start()
{
    if (!endpoint_.empty()) asio::co_spawn(bridge_.loop, run(), asio::detached);
}

void SpanExporter::stop()
{
    stopped_ = true;
    pool_.stop();
    timer_.cancel();
    thread_.join();
}

asio::awaitable<void> SpanExporter::pause(std::chrono::milliseconds time)
{
    boost::system::error_code ignored;
    timer_.expires_after(time);
    co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

asio::awaitable<int> SpanExporter::post(std::string body)
{
    const auto blocking = [](const SpanExporter *self, std::string text, std::atomic<bool> *stopped) -> asio::awaitable<int> {
        co_return post_blocking(self->endpoint_, self->headers_, text, *stopped);
    };
    asio::awaitable<int> answer = blocking(this, std::move(body), &stopped_);
    const int status = co_await asio::co_spawn(thread_, std::move(answer), asio::use_awaitable);
    co_return status;
}

// Until it has arrived, or is refused for good.
asio::awaitable<void> SpanExporter::send(std::string body, size_t count)
{
    std::chrono::milliseconds wait = 500ms;
    for (bool told = false; !stopped_;) {
        const int status = co_await post(body);
        if (status >= 200 && status < 300) {
            sent_ += count;
            if (told) spdlog::info("the collector takes spans again");
            co_return;
        }
        failures_++;
        if (is_refusal(status)) {
            dropped_ += count;
            spdlog::warn("the collector refused {} spans with status {}", count, status);
            co_return;
        }
        if (!told && !stopped_) spdlog::warn("the collector takes no spans ({}); they wait in the database", status);
        told = true;
        co_await pause(wait);
        wait = std::min<std::chrono::milliseconds>(wait * 2, 30s);
    }
}

asio::awaitable<bool> SpanExporter::is_ours()
{
    // Asked each time, since the pool may have made another connection; taken once a session.
    std::string sql = "select case when exists (select from pg_locks as l where l.locktype = 'advisory' and l.pid = pg_backend_pid() and l.classid = "
                      "1869767528 and l.objid = 1)"
                      " then true else pg_try_advisory_lock(1869767528, 1) end";
    Params none;
    const Rows rows = co_await pool_.run_as_bridge(std::move(sql), std::move(none));
    co_return rows.boolean(0, 0);
}

asio::awaitable<void> SpanExporter::export_more()
{
    if (position_ < 0) {
        std::string sql = "select orch.export_position('otlp')";
        Params none;
        const Rows rows = co_await pool_.run_as_bridge(std::move(sql), std::move(none));
        position_ = std::stoll(rows.text(0, 0));
    }
    Params range{std::to_string(position_), std::to_string(rows_a_page)};
    std::string read = "select spans, next_pos from orch.span_page($1::bigint, $2::int)";
    const Rows page = co_await pool_.run_as_bridge(std::move(read), std::move(range));
    const int64_t next = std::stoll(page.text(0, 1));
    size_t count = 0;
    const nlohmann::ordered_json spans = nlohmann::ordered_json::parse(page.text(0, 0));
    std::string body = otlp_traces(spans, count);
    if (count > 0) co_await send(std::move(body), count);
    if (stopped_) co_return;
    if (!spans.empty()) {
        Params reached{std::to_string(next)};
        std::string write = "select orch.set_export_position('otlp', $1::bigint)";
        (void)co_await pool_.run_as_bridge(std::move(write), std::move(reached));
    }
    const bool idle = next == position_ || spans.empty();
    position_ = next;
    if (!idle) co_return;
    Params position{std::to_string(position_)};
    std::string wait = "call orch.await_events($1::bigint, interval '10 seconds')";
    (void)co_await pool_.run_as_bridge(std::move(wait), std::move(position));
}

asio::awaitable<void> SpanExporter::run()
{
    while (!stopped_) {
        std::chrono::milliseconds wait = 0ms;
        try {
            const bool ours = co_await is_ours();
            if (ours != exporting_) {
                spdlog::info(ours ? "this bridge exports spans" : "another bridge exports spans");
                position_ = -1;
            }
            exporting_ = ours;
            if (ours) co_await export_more();
            else wait = 5s;
        } catch (const std::exception &error) {
            if (!stopped_) spdlog::warn("spans cannot be exported: {}", error.what());
            exporting_ = false;
            wait = 2s;
        }
        if (wait > 0ms && !stopped_) co_await pause(wait);
    }
    exporting_ = false;
}

}  // namespace orch::bridge
