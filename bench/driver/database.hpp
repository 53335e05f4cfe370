#pragma once

// A connection of the driver: prepared statements, in pipeline mode, since only there a wait can be ended by sending more.
#include <libpq-fe.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace orch_bench {

using Values = std::vector<std::string>;

class Rows {
public:
    explicit Rows(PGresult *result) : result_(result, PQclear) {}

    [[nodiscard]] int count() const { return PQntuples(result_.get()); }
    [[nodiscard]] const char *at(int row, int column) const { return PQgetvalue(result_.get(), row, column); }
    [[nodiscard]] bool is_null(int row, int column) const { return PQgetisnull(result_.get(), row, column) != 0; }
    [[nodiscard]] double number(int row, int column) const { return std::stod(at(row, column)); }

private:
    std::unique_ptr<PGresult, decltype(&PQclear)> result_;
};

class Database {
public:
    Database() : connection_(PQconnectdb(""), PQfinish)
    {
        if (PQstatus(connection_.get()) != CONNECTION_OK || PQenterPipelineMode(connection_.get()) != 1) fail();
    }

    void prepare(const char *name, const char *statement)
    {
        PQsendPrepare(connection_.get(), name, statement, 0, nullptr);
        PQpipelineSync(connection_.get());
        receive();
    }

    Rows run(const char *name, const Values &values = {})
    {
        send(name, values);
        return receive();
    }

    Rows query(const std::string &statement, const Values &values = {})
    {
        const auto list = pointers(values);
        if (PQsendQueryParams(connection_.get(), statement.c_str(), static_cast<int>(list.size()), nullptr, list.data(), nullptr, nullptr, 0) != 1) fail();
        PQpipelineSync(connection_.get());
        return receive();
    }

    void send(const char *name, const Values &values)
    {
        const auto list = pointers(values);
        if (PQsendQueryPrepared(connection_.get(), name, static_cast<int>(list.size()), list.data(), nullptr, nullptr, 0) != 1) fail();
        PQpipelineSync(connection_.get());
    }

    /// The answer to what was sent first, and its end.
    Rows receive()
    {
        Rows rows(nullptr);
        std::string error;
        for (;;) {
            PGresult *result = PQgetResult(connection_.get());
            if (!result) {
                if (PQstatus(connection_.get()) != CONNECTION_OK) fail();
                continue;
            }
            const ExecStatusType status = PQresultStatus(result);
            if (status == PGRES_PIPELINE_SYNC) {
                PQclear(result);
                if (!error.empty()) throw std::runtime_error(error);
                return rows;
            }
            if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK && error.empty()) error = PQresultErrorMessage(result);
            rows = Rows(result);
        }
    }

    /// Bytes behind a wait, which end it; they ask for nothing.
    void nudge() { PQpipelineSync(connection_.get()); }
    [[nodiscard]] int socket() const { return PQsocket(connection_.get()); }

private:
    [[noreturn]] void fail() const { throw std::runtime_error(PQerrorMessage(connection_.get())); }

    static std::vector<const char *> pointers(const Values &values)
    {
        std::vector<const char *> list;
        list.reserve(values.size());
        for (const auto &value : values) list.push_back(value.c_str());
        return list;
    }

    std::unique_ptr<PGconn, decltype(&PQfinish)> connection_;
};

}  // namespace orch_bench
