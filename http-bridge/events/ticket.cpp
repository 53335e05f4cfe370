#include "events/ticket.hpp"

#include "bridge.hpp"

#include <openssl/evp.h>

#include <array>

namespace orch::bridge {

namespace {

// The ticket itself never leaves this process: a server may log the parameters of its statements.
std::string hash_of_ticket(const std::string &ticket)
{
    std::array<unsigned char, EVP_MAX_MD_SIZE> hash{};
    unsigned int length = 0;
    if (EVP_Digest(ticket.data(), ticket.size(), hash.data(), &length, EVP_sha256(), nullptr) != 1) return {};
    std::string text = "\\x";
    for (unsigned int i = 0; i < length; i++) {
        constexpr char digits[] = "0123456789abcdef";
        text += digits[hash[i] >> 4];
        text += digits[hash[i] & 15];
    }
    return text;
}

}  // namespace

boost::asio::awaitable<std::optional<Admission>> admit_ticket(Bridge &bridge, const Request &request)
{
    Params hash{hash_of_ticket(request.parameter("ticket").value_or(""))};
    std::string sql = "select name, role, tenant, (extract(epoch from expires_at) * 1000)::bigint from orch.use_event_ticket($1::bytea)";
    const Rows rows = co_await bridge.pool.run_as_bridge(std::move(sql), std::move(hash));
    if (rows.empty()) co_return std::nullopt;
    Admission admission;
    Principal &who = admission.principal;
    const std::string actor = rows.text(0, 0);
    const auto colon = actor.find(':');
    who.kind = colon == actor.npos ? "token" : actor.substr(0, colon);
    who.name = colon == actor.npos ? actor : actor.substr(colon + 1);
    who.role = rows.text(0, 1);
    who.tenant = rows.text(0, 2);
    if (rows.get(0, 3)) who.expires = std::chrono::system_clock::time_point(std::chrono::milliseconds(std::stoll(rows.text(0, 3))));
    co_return admission;
}

}  // namespace orch::bridge
