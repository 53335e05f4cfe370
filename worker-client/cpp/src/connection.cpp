#include "orch/connection.hpp"

#include "orch/pooler.hpp"

#include <libpq-fe.h>

#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <utility>

namespace orch {
namespace {

std::string without_newline(const char *text)
{
    std::string line = text ? text : "";
    while (!line.empty() && (line.back() == '\n' || line.back() == ' ')) line.pop_back();
    return line;
}

std::string field(const pg_result *result, int code)
{
    const char *text = PQresultErrorField(result, code);
    return text ? text : "";
}

std::vector<const char *> pointers(const parameters &values)
{
    std::vector<const char *> list;
    list.reserve(values.size());
    for (const auto &value : values) {
        if (value && value->find('\0') != std::string::npos)
            throw error("22021", "the text holds a NUL byte at offset " + std::to_string(value->find('\0')), "",
                        "PostgreSQL stores no NUL in text: remove it.");
        list.push_back(value ? value->c_str() : nullptr);
    }
    return list;
}

}  // namespace

rows::rows(pg_result *result) : result_(result, PQclear) {}
int rows::size() const noexcept { return result_ ? PQntuples(result_.get()) : 0; }
int rows::columns() const noexcept { return result_ ? PQnfields(result_.get()) : 0; }
std::string_view rows::name(int column) const noexcept { return PQfname(result_.get(), column); }

std::optional<std::string_view> rows::at(int row, int column) const noexcept
{
    if (PQgetisnull(result_.get(), row, column)) return std::nullopt;
    return std::string_view(PQgetvalue(result_.get(), row, column), static_cast<size_t>(PQgetlength(result_.get(), row, column)));
}

std::optional<std::string_view> rows::at(int row, const char *column) const
{
    const int number = result_ ? PQfnumber(result_.get(), column) : -1;
    if (number < 0 || row >= size()) throw std::out_of_range(std::string("the answer has no column ") + column);
    return at(row, number);
}

void connection::closer::operator()(pg_conn *handle) const noexcept
{
    if (!callers) PQfinish(handle);
}

connection::connection(const std::string &given) : notice_(std::make_unique<std::function<void(std::string_view)>>())
{
    const database_url database(given);
    // What stands before dbname is a default that the caller's string overrides. Keepalives find a server that vanished without a word while we wait.
    std::vector<const char *> keys{"fallback_application_name", "client_encoding", "keepalives_idle", "keepalives_interval", "keepalives_count"};
    std::vector<const char *> values{"orch", "UTF8", "30", "10", "3"};
    if (!std::getenv("PGCONNECT_TIMEOUT")) {
        keys.push_back("connect_timeout");
        values.push_back("10");
    }
    // The primary among several; one that is named alone is taken as it is, so that a standby can be read.
    if (!std::getenv("PGTARGETSESSIONATTRS") && database.names_several_hosts()) {
        keys.push_back("target_session_attrs");
        values.push_back("read-write");
    }
    keys.insert(keys.end(), {"dbname", nullptr});
    values.insert(values.end(), {database.text.c_str(), nullptr});
    handle_.reset(PQconnectdbParams(keys.data(), values.data(), 1));
    if (!handle_ || PQstatus(handle_.get()) != CONNECTION_OK)
        throw error("08001", "cannot connect to the database", without_newline(PQerrorMessage(handle_.get())),
                    "Check --database, ORCH_DATABASE_URL or the PG* variables, and that the server runs.", true);
    PQsetNoticeProcessor(
        handle_.get(),
        [](void *listener, const char *text) {
            const auto &call = *static_cast<std::function<void(std::string_view)> *>(listener);
            if (call) call(without_newline(text));
        },
        notice_.get());
}

error connection::broken() const { return {"08006", "the connection to the database broke", without_newline(PQerrorMessage(handle_.get())), "", true}; }

error connection::failure_of(const pg_result *result) const
{
    const auto code = field(result, PG_DIAG_SQLSTATE);
    const bool poisoned = PQstatus(handle_.get()) == CONNECTION_BAD;
    if (code.empty()) return broken();
    return {code, field(result, PG_DIAG_MESSAGE_PRIMARY), field(result, PG_DIAG_MESSAGE_DETAIL), field(result, PG_DIAG_MESSAGE_HINT), poisoned};
}

rows connection::query(const std::string &sql, const parameters &values)
{
    const auto list = pointers(values);
    rows answer(PQexecParams(handle_.get(), sql.c_str(), static_cast<int>(list.size()), nullptr, list.data(), nullptr, nullptr, 0));
    const auto *result = answer.result_.get();
    const auto status = PQresultStatus(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) throw failure_of(result);
    return answer;
}

void connection::enter_pipeline()
{
    if (PQsetnonblocking(handle_.get(), 1) != 0 || PQenterPipelineMode(handle_.get()) != 1) throw broken();
}

void connection::send(const std::string &sql, const parameters &values)
{
    const auto list = pointers(values);
    if (PQsendQueryParams(handle_.get(), sql.c_str(), static_cast<int>(list.size()), nullptr, list.data(), nullptr, nullptr, 0) != 1 ||
        PQpipelineSync(handle_.get()) != 1)
        throw broken();
    ++in_flight_;
    flush();
}

void connection::nudge()
{
    if (PQsendFlushRequest(handle_.get()) != 1) throw broken();
    flush();
}

void connection::flush()
{
    const int left = PQflush(handle_.get());
    if (left < 0) throw broken();
    unsent_ = left > 0;
}

std::optional<connection::answer> connection::receive()
{
    if (PQconsumeInput(handle_.get()) != 1) throw broken();
    while (in_flight_ > 0 && PQisBusy(handle_.get()) == 0) {
        rows part(PQgetResult(handle_.get()));
        const auto *result = part.result_.get();
        if (!result) continue;  // ends one statement; the Sync behind it ends its transaction, and only then it is committed
        switch (PQresultStatus(result)) {
        case PGRES_PIPELINE_SYNC: --in_flight_; return std::exchange(current_, answer{});
        case PGRES_TUPLES_OK:
        case PGRES_COMMAND_OK: current_.result = std::move(part); break;
        default:
            current_.failure = failure_of(result);
            if (current_.failure->poisons_connection) throw *current_.failure;
        }
    }
    return std::nullopt;
}

int connection::process() const noexcept { return PQbackendPID(handle_.get()); }
int connection::socket() const noexcept { return PQsocket(handle_.get()); }

}  // namespace orch
