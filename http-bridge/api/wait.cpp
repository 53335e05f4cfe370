#include "api/wait.hpp"

#include "server/text.hpp"

namespace orch::bridge {

namespace asio = boost::asio;

namespace {
constexpr int longest_wait = 60;
}

std::optional<std::chrono::seconds> preferred_wait(const Request &request)
{
    std::string_view given = request.header("Prefer");
    while (!given.empty()) {
        const auto comma = given.find(',');
        const std::string_view one = trimmed(given.substr(0, given.substr(0, comma).find(';')));
        given.remove_prefix(comma == given.npos ? given.size() : comma + 1);
        if (one.size() < 6 || !equal_without_case(one.substr(0, 5), "wait=")) continue;
        const std::string_view digits = one.substr(5);
        // A preference that cannot be read is no preference (RFC 7240).
        if (digits.find_first_not_of("0123456789") != digits.npos) return std::nullopt;
        return std::chrono::seconds(digits.size() > 3 ? longest_wait : std::min(std::stoi(std::string(digits)), longest_wait));
    }
    return std::nullopt;
}

asio::awaitable<bool> wait_for_run(Bridge &bridge, const Principal &principal, std::string run, std::chrono::seconds time)
{
    if (!bridge.waits.has_room()) co_return false;
    std::vector<Statement> statements;
    statements.push_back({"call orch.await_run($1::uuid, $2::interval)", {std::move(run), std::to_string(time.count()) + " s"}});
    try {
        (void)co_await bridge.waits.run_alone(principal, std::move(statements), time + std::chrono::seconds(5));
        co_return true;
    } catch (const DatabaseError &error) {
        // Whoever waits is told where the run is, whatever ended the waiting; what is wrong with the run is said there.
        if (!error.lost && status_of(error.code) != 503) throw;
    }
    co_return false;
}

}  // namespace orch::bridge
