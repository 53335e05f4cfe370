// What the HTTP bridge adds to the SQL that it runs: the same call by libpq and by HTTP in turn, one at a time, over a connection each that is kept.
#include <libpq-fe.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

std::string environment(const char *name)
{
    const char *value = std::getenv(name);
    if (!value) throw std::runtime_error(std::string(name) + " is not set: see bench/run");
    return value;
}

class Database {
public:
    explicit Database(const std::string &url) : connection_(PQconnectdb(url.c_str()))
    {
        if (PQstatus(connection_) != CONNECTION_OK) throw std::runtime_error(PQerrorMessage(connection_));
    }
    Database(const Database &) = delete;
    Database &operator=(const Database &) = delete;
    ~Database() { PQfinish(connection_); }

    void prepare(const char *name, const char *statement) { done(PQprepare(connection_, name, statement, 0, nullptr)); }
    std::string run(const char *name, const std::string &parameter)
    {
        const char *values[] = {parameter.c_str()};
        return done(PQexecPrepared(connection_, name, 1, values, nullptr, nullptr, 0));
    }

private:
    std::string done(PGresult *result)
    {
        const ExecStatusType status = PQresultStatus(result);
        std::string value = status == PGRES_TUPLES_OK ? PQgetvalue(result, 0, 0) : "";
        PQclear(result);
        if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) throw std::runtime_error(PQerrorMessage(connection_));
        return value;
    }

    PGconn *connection_;
};

class Http {
public:
    Http(const std::string &url, std::string token) : token_(std::move(token))
    {
        const std::string place = url.substr(url.find("//") + 2);
        const size_t colon = place.rfind(':');
        host_ = place.substr(0, colon);
        addrinfo hints{}, *found = nullptr;
        hints.ai_socktype = SOCK_STREAM;
        if (getaddrinfo(host_.c_str(), place.substr(colon + 1).c_str(), &hints, &found) != 0) throw std::runtime_error("no address: " + url);
        socket_ = ::socket(found->ai_family, SOCK_STREAM, 0);
        const int connected = connect(socket_, found->ai_addr, found->ai_addrlen), yes = 1;
        freeaddrinfo(found);
        if (connected != 0) throw std::runtime_error("cannot connect to " + url);
        setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    }
    Http(const Http &) = delete;
    Http &operator=(const Http &) = delete;
    ~Http() { close(socket_); }

    /// The body of the answer, whose status has to be 2xx.
    std::string call(std::string_view method, const std::string &path, const std::string &body)
    {
        std::string wire;
        wire.append(method).append(" /api/v1").append(path).append(" HTTP/1.1\r\nHost: ").append(host_).append("\r\nAuthorization: Bearer ").append(token_);
        if (!body.empty()) wire += "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size());
        wire.append("\r\n\r\n").append(body);
        for (size_t sent = 0; sent < wire.size();) {
            const ssize_t n = write(socket_, wire.data() + sent, wire.size() - sent);
            if (n <= 0) throw std::runtime_error("the bridge is gone");
            sent += static_cast<size_t>(n);
        }
        std::string answer;
        size_t head = std::string::npos, length = 0;
        while (head == std::string::npos || answer.size() < head + 4 + length) {
            char part[16384];
            const ssize_t n = read(socket_, part, sizeof part);
            if (n <= 0) throw std::runtime_error("the bridge has closed the connection");
            answer.append(part, static_cast<size_t>(n));
            if (head == std::string::npos && (head = answer.find("\r\n\r\n")) != std::string::npos) length = content_length(answer.substr(0, head));
        }
        if (answer.compare(9, 1, "2") != 0) throw std::runtime_error(answer);
        return answer.substr(head + 4);
    }

private:
    static size_t content_length(std::string head)
    {
        std::transform(head.begin(), head.end(), head.begin(), [](unsigned char c) { return std::tolower(c); });
        const size_t at = head.find("\r\ncontent-length:");
        if (at == std::string::npos) throw std::runtime_error("an answer without a length");
        return std::strtoul(head.c_str() + at + 17, nullptr, 10);
    }

    std::string token_, host_;
    int socket_ = -1;
};

struct Times {
    std::vector<double> values;

    template <class F>
    void time(F &&call)
    {
        const auto began = Clock::now();
        call();
        values.push_back(std::chrono::duration<double, std::milli>(Clock::now() - began).count());
    }
    double at(double part)
    {
        std::sort(values.begin(), values.end());
        return values[std::min(values.size() - 1, static_cast<size_t>(part * static_cast<double>(values.size())))];
    }
};

void show(const char *what, Times &sql, Times &http)
{
    for (auto [name, part] : {std::pair{"median", 0.5}, {"p95", 0.95}, {"p99", 0.99}}) {
        const double a = sql.at(part), b = http.at(part);
        std::printf("%-12s %-8s %9.3f %9.3f %9.3f\n", what, name, a, b, b - a);
        what = "";
    }
}

void measure(size_t turns)
{
    Database database(environment("ORCH_BENCH_DATABASE"));
    Http http(environment("ORCH_HTTP_URL"), environment("ORCH_TOKEN_operator"));
    database.prepare("trigger", "select run_id from orch.trigger_run('bench', $1)");
    database.prepare("run", "select to_jsonb(r) from orch.runs as r where run_id = $1");

    Times sql_trigger, http_trigger, sql_run, http_run;
    std::string run;
    const auto turn = [&] {
        sql_trigger.time([&] { run = database.run("trigger", R"({"n": 1})"); });
        http_trigger.time([&] { http.call("POST", "/workflows/bench/trigger", R"({"input": {"n": 1}})"); });
        sql_run.time([&] { database.run("run", run); });
        http_run.time([&] { http.call("GET", "/runs/" + run, ""); });
    };
    // Plans, caches and the heap first.
    for (size_t i = 0; i < turns / 10 + 10; ++i) turn();
    for (Times *times : {&sql_trigger, &http_trigger, &sql_run, &http_run}) times->values.clear();
    for (size_t i = 0; i < turns; ++i) turn();

    std::printf("%zu of each in turn, one at a time; milliseconds\n%-12s %-8s %9s %9s %9s\n", turns, "call", "", "SQL", "HTTP", "added");
    show("trigger", sql_trigger, http_trigger);
    show("get a run", sql_run, http_run);
}

}  // namespace

int main(int count, char **arguments)
{
    try {
        measure(count > 1 ? std::strtoul(arguments[1], nullptr, 10) : 2000);
        return 0;
    } catch (const std::exception &error) {
        std::cerr << "orch-bench-bridge: " << error.what() << '\n';
        return 1;
    }
}
