#include "access/address.hpp"

#include "server/text.hpp"

#include <boost/asio/ip/address.hpp>

#include <optional>
#include <stdexcept>

namespace orch::bridge {

namespace ip = boost::asio::ip;

namespace {

std::optional<ip::address_v6> parsed_address(std::string_view text)
{
    boost::system::error_code failed;
    const ip::address address = ip::make_address(std::string(text), failed);
    if (failed) return std::nullopt;
    return address.is_v4() ? ip::make_address_v6(ip::v4_mapped, address.to_v4()) : address.to_v6();
}

}  // namespace

TrustedProxies::TrustedProxies(const std::vector<std::string> &texts)
{
    for (const std::string &text : texts) {
        const auto slash = text.find('/');
        const std::optional<ip::address_v6> address = parsed_address(text.substr(0, slash));
        const bool mapped = address && address->is_v4_mapped() && text.find(':') == text.npos;
        int length = mapped ? 32 : 128;
        if (slash != text.npos) {
            const std::string digits = text.substr(slash + 1);
            const bool number = !digits.empty() && digits.size() <= 3 && digits.find_first_not_of("0123456789") == digits.npos;
            length = number && std::stoi(digits) <= length ? std::stoi(digits) : -1;
        }
        if (!address || length < 0) throw std::invalid_argument("\"" + text + "\" is neither an address nor a network ADDRESS/LENGTH");
        networks_.emplace_back(*address, static_cast<unsigned short>(mapped ? 96 + length : length));
    }
}

bool TrustedProxies::trusts(const std::string &text) const
{
    const std::optional<ip::address_v6> address = parsed_address(text);
    if (!address) return false;
    for (const ip::network_v6 &network : networks_)
        if (ip::network_v6(*address, network.prefix_length()).canonical() == network.canonical()) return true;
    return false;
}

std::string counted_address(const Request &request, const TrustedProxies &proxies)
{
    std::string seen = request.peer;
    if (proxies.trusts(seen)) {
        // Each proxy adds at the end whom it saw; what stands before the first one that is not trusted may be anybody's invention.
        std::string list;
        const auto [first, last] = request.fields.equal_range("X-Forwarded-For");
        for (auto field = first; field != last; ++field) list += (list.empty() ? "" : ",") + std::string(field->value());
        while (!list.empty() && proxies.trusts(seen)) {
            const auto comma = list.rfind(',');
            const std::string before(trimmed(comma == list.npos ? std::string_view(list) : std::string_view(list).substr(comma + 1)));
            if (!parsed_address(before)) break;
            seen = before;
            list.resize(comma == list.npos ? 0 : comma);
        }
    }
    const std::optional<ip::address_v6> address = parsed_address(seen);
    if (!address || address->is_v4_mapped()) return seen;
    return ip::network_v6(*address, 64).canonical().to_string();
}

}  // namespace orch::bridge
