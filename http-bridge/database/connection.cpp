#include "database/connection.hpp"

#include "orch/pooler.hpp"
#include "server/text.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cstdlib>

namespace orch::bridge {

namespace asio = boost::asio;

namespace {

std::vector<std::string> split_hosts(const std::string &text)
{
    std::vector<std::string> parts;
    for (size_t from = 0; from <= text.size();) {
        const auto comma = std::min(text.find(',', from), text.size());
        parts.push_back(text.substr(from, comma - from));
        from = comma + 1;
    }
    return parts;
}

std::string or_environment(const std::string &given, const char *name)
{
    if (!given.empty()) return given;
    const char *value = std::getenv(name);
    return value == nullptr ? std::string() : value;
}

bool is_address(const std::string &host)
{
    boost::system::error_code failed;
    asio::ip::make_address(host, failed);
    return !failed;
}

}  // namespace

std::vector<Place> places_of(const std::string &url)
{
    char *complaint = nullptr;
    PQconninfoOption *options = PQconninfoParse(orch::database_url(url).text.c_str(), &complaint);
    if (options == nullptr) {
        // What libpq says may quote the URL, password and all.
        PQfreemem(complaint);
        throw DatabaseError("08001", "the database URL cannot be read");
    }
    std::string host, port, address, attributes;
    std::vector<std::pair<std::string, std::string>> rest;
    for (const PQconninfoOption *option = options; option->keyword != nullptr; option++) {
        if (option->val == nullptr) continue;
        const std::string_view key = option->keyword;
        if (key == "host") host = option->val;
        else if (key == "port") port = option->val;
        else if (key == "hostaddr") address = option->val;
        else if (key == "target_session_attrs") attributes = option->val;
        else rest.emplace_back(option->keyword, option->val);
    }
    PQconninfoFree(options);
    host = or_environment(host, "PGHOST");
    port = or_environment(port, "PGPORT");

    const std::vector<std::string> hosts = split_hosts(host), ports = split_hosts(port), addresses = split_hosts(address);
    const size_t count = std::max(hosts.size(), addresses.size());
    if (attributes.empty() && count > 1) attributes = "read-write";
    std::vector<Place> places;
    for (size_t i = 0; i < count; i++) {
        Place place;
        const std::string one = i < hosts.size() ? hosts[i] : std::string(), at = i < addresses.size() ? addresses[i] : std::string();
        const std::string number = ports.size() == 1 ? ports[0] : i < ports.size() ? ports[i] : std::string();
        // What a user said comes last, so that it counts.
        place.parameters = {{"fallback_application_name", "orch-bridge"},
                            {"client_encoding", "UTF8"},
                            {"keepalives_idle", "10"},
                            {"keepalives_interval", "5"},
                            {"keepalives_count", "3"},
                            {"tcp_user_timeout", "15000"}};
        place.parameters.insert(place.parameters.end(), rest.begin(), rest.end());
        if (!one.empty()) place.parameters.emplace_back("host", one);
        if (!at.empty()) place.parameters.emplace_back("hostaddr", at);
        if (!number.empty()) place.parameters.emplace_back("port", number);
        if (!attributes.empty()) place.parameters.emplace_back("target_session_attrs", attributes);
        place.name = (one.empty() ? at : one) + (number.empty() ? "" : ":" + number);
        if (!one.empty() && one.front() != '/' && one.front() != '@' && at.empty() && !is_address(one)) place.resolve = one;
        places.push_back(std::move(place));
    }
    return places;
}

DatabaseConnection::~DatabaseConnection()
{
    if (socket_.is_open()) socket_.release();  // it is libpq's to close
    if (connection_ != nullptr) PQfinish(connection_);
}

void DatabaseConnection::interrupt()
{
    interrupted_ = true;
    boost::system::error_code ignored;
    socket_.cancel(ignored);
}

void DatabaseConnection::broken(const char *what)
{
    DatabaseError error("08006", interrupted_ ? "the database does not answer in time" : what);
    error.lost = true;
    throw error;
}

// libpq may close its socket and open another one of the same number, which the loop would not notice.
void DatabaseConnection::follow_socket()
{
    if (socket_.is_open()) socket_.release();
    const int number = PQsocket(connection_);
    if (number < 0) broken("the database cannot be reached");
    socket_.assign(number);
}

asio::awaitable<void> DatabaseConnection::wait(asio::posix::descriptor_base::wait_type what)
{
    if (interrupted_) broken("");
    boost::system::error_code failed;
    co_await socket_.async_wait(what, asio::redirect_error(asio::use_awaitable, failed));
    if (interrupted_ || failed) broken("the connection to the database broke");
}

asio::awaitable<void> DatabaseConnection::open(const Place &place)
{
    std::vector<std::string> addresses{""};
    if (!place.resolve.empty()) {
        asio::ip::tcp::resolver resolver(socket_.get_executor());
        boost::system::error_code failed;
        const auto found = co_await resolver.async_resolve(place.resolve, "", asio::redirect_error(asio::use_awaitable, failed));
        if (failed || found.empty()) broken("the database's host name cannot be resolved");
        addresses.clear();
        for (const auto &entry : found) addresses.push_back(entry.endpoint().address().to_string());
    }
    std::string complaint;
    for (const std::string &address : addresses) {
        std::vector<const char *> keys, values;
        for (const auto &[key, value] : place.parameters) {
            keys.push_back(key.c_str());
            values.push_back(value.c_str());
        }
        if (!address.empty()) {
            keys.push_back("hostaddr");
            values.push_back(address.c_str());
        }
        keys.push_back(nullptr);
        values.push_back(nullptr);
        if (connection_ != nullptr) {
            if (socket_.is_open()) socket_.release();
            PQfinish(connection_);
        }
        connection_ = PQconnectStartParams(keys.data(), values.data(), 0);
        if (connection_ == nullptr) throw std::bad_alloc();
        auto poll = PQstatus(connection_) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
        while (poll == PGRES_POLLING_READING || poll == PGRES_POLLING_WRITING) {
            follow_socket();
            co_await wait(poll == PGRES_POLLING_READING ? asio::posix::descriptor_base::wait_read : asio::posix::descriptor_base::wait_write);
            poll = PQconnectPoll(connection_);
        }
        if (poll == PGRES_POLLING_OK) {
            follow_socket();
            if (PQsetnonblocking(connection_, 1) != 0 || PQenterPipelineMode(connection_) != 1) broken("the connection to the database broke");
            PQsetNoticeProcessor(
                connection_, [](void *, const char *) {}, nullptr);
            co_return;
        }
        complaint = std::string(trimmed(PQerrorMessage(connection_)));
    }
    DatabaseError error("08001", "the database cannot be reached");
    error.detail = complaint;
    error.lost = true;
    throw error;
}

asio::awaitable<void> DatabaseConnection::flush()
{
    for (;;) {
        const int left = PQflush(connection_);
        if (left < 0) broken("the connection to the database broke");
        if (left == 0) co_return;
        // A server that is writing to us does not read: what it wrote has to be taken before it goes on.
        co_await wait(asio::posix::descriptor_base::wait_write);
        if (PQconsumeInput(connection_) == 0) broken("the connection to the database broke");
    }
}

asio::awaitable<std::vector<DatabaseConnection::Outcome>> DatabaseConnection::exchange(std::vector<Step> steps)
{
    steps.back().sync = true;
    size_t syncs = 0;
    for (const Step &step : steps)
        for (const Param &param : step.statement.params)
            if (param && param->find('\0') != param->npos) throw DatabaseError("22021", "a value holds the character U+0000, which PostgreSQL cannot hold");
    busy_ = true;
    for (const Step &step : steps) {
        std::vector<const char *> values;
        values.reserve(step.statement.params.size());
        for (const Param &param : step.statement.params) values.push_back(param ? param->c_str() : nullptr);
        const int count = static_cast<int>(values.size());
        if (PQsendQueryParams(connection_, step.statement.sql.c_str(), count, nullptr, values.data(), nullptr, nullptr, 0) != 1)
            broken("the connection to the database broke");
        if (!step.sync) continue;
        if (PQpipelineSync(connection_) != 1) broken("the connection to the database broke");
        syncs++;
    }
    co_await flush();

    std::vector<Outcome> outcomes;
    outcomes.reserve(steps.size());
    while (syncs > 0) {
        while (PQisBusy(connection_) != 0) {
            co_await wait(asio::posix::descriptor_base::wait_read);
            if (PQconsumeInput(connection_) == 0) broken("the connection to the database broke");
        }
        PGresult *result = PQgetResult(connection_);
        if (PQstatus(connection_) == CONNECTION_BAD) {
            DatabaseError error = result == nullptr ? DatabaseError("08006", "the connection to the database broke") : DatabaseError(result);
            PQclear(result);
            error.lost = true;
            throw error;
        }
        if (result == nullptr) continue;
        switch (PQresultStatus(result)) {
        case PGRES_PIPELINE_SYNC:
            syncs--;
            PQclear(result);
            break;
        case PGRES_PIPELINE_ABORTED:
            outcomes.emplace_back();
            PQclear(result);
            break;
        case PGRES_TUPLES_OK:
        case PGRES_COMMAND_OK: outcomes.emplace_back(Rows(result)); break;
        default: outcomes.emplace_back(DatabaseError(result)); PQclear(result);
        }
    }
    busy_ = false;
    co_return outcomes;
}

bool DatabaseConnection::usable()
{
    // An idle server says nothing but that it goes, or the value of a setting that was reloaded.
    return !busy_ && !interrupted_ && PQstatus(connection_) == CONNECTION_OK && PQconsumeInput(connection_) == 1 && PQstatus(connection_) == CONNECTION_OK;
}

}  // namespace orch::bridge
