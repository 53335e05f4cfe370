// Until there are tokens: `Authorization: Bearer ROLE` or `Bearer ROLE:TENANT` is believed.
#include "access/authenticator.hpp"
#include "server/problem.hpp"

namespace orch::bridge {

namespace {

class StandIn : public Authenticator {
public:
    boost::asio::awaitable<Admission> admit(Bridge &, const Request &request) override
    {
        const std::string_view given = request.header("Authorization");
        if (!given.starts_with("Bearer ")) throw Problem(401, "unauthenticated", "this needs a token").with("WWW-Authenticate", "Bearer realm=\"orch\"");
        const std::string word(given.substr(7));
        const auto colon = word.find(':');
        Admission admission;
        admission.principal.name = word;
        admission.principal.role = "orch_" + word.substr(0, colon);
        admission.principal.tenant = colon == word.npos ? "default" : word.substr(colon + 1);
        co_return admission;
    }
};

}  // namespace

std::unique_ptr<Authenticator> make_authenticator(const Options &) { return std::make_unique<StandIn>(); }

}  // namespace orch::bridge
