#include "access/address.hpp"
#include "access/credentials.hpp"
#include "bridge.hpp"
#include "server/problem.hpp"
#include "server/text.hpp"

#include <charconv>

namespace orch::bridge {

namespace asio = boost::asio;

asio::awaitable<Answered> ask_database(Bridge &bridge, Question question)
{
    Params params;
    params.push_back(question.token_hash);
    params.push_back(question.address);
    params.push_back(question.subject);
    const Rows rows = co_await bridge.pool.run_as_bridge("select status, name, role, tenant, (extract(epoch from expires_at) * 1000)::bigint, rate_limit, "
                                                         "rate_remaining, rate_reset_seconds, retry_after_seconds"
                                                         " from orch.admit(decode($1, 'hex'), $2, $3)",
                                                         std::move(params));
    Answered answered;
    answered.status = rows.text(0, 0);
    answered.principal.name = rows.text(0, 1);
    answered.principal.role = rows.text(0, 2);
    answered.principal.tenant = rows.text(0, 3);
    if (const auto ms = rows.get(0, 4))
        answered.principal.expires = std::chrono::system_clock::time_point(std::chrono::milliseconds(std::stoll(std::string(*ms))));
    constexpr std::string_view names[] = {"RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "Retry-After"};
    for (int i = 0; i < 4; i++)
        if (const auto value = rows.get(0, 5 + i)) answered.headers.emplace_back(names[i], *value);
    if (answered.status == "limited") {
        Problem problem(429, "rate_limited", "too many requests");
        problem.hint = "Wait for as many seconds as Retry-After says.";
        problem.headers = answered.headers;
        throw problem;
    }
    co_return answered;
}

Problem refusal(std::string code, std::string title, std::string_view error, Headers headers)
{
    std::string challenge = "Bearer realm=\"orch\"";
    if (!error.empty()) challenge += ", error=\"" + std::string(error) + "\", error_description=\"" + title + "\"";
    Problem problem(401, std::move(code), std::move(title));
    problem.hint = "Send `Authorization: Bearer TOKEN`; an administrator makes tokens with orch.create_token.";
    problem.headers = std::move(headers);
    problem.headers.emplace_back("WWW-Authenticate", challenge);
    return problem;
}

namespace {

class AnyCredentials : public Authenticator {
public:
    explicit AnyCredentials(const Options &options) : proxies_(options.trusted_proxies)
    {
        kinds_.push_back(token_credentials());
        if (!options.oidc_issuer.empty()) kinds_.push_back(oidc_credentials(options));
    }

    asio::awaitable<Admission> admit(Bridge &bridge, const Request &request) override
    {
        constexpr std::string_view scheme = "bearer ";
        const std::string_view given = request.header("Authorization");
        Shown shown;
        shown.address = counted_address(request, proxies_);
        const bool bearer = given.size() > scheme.size() && equal_without_case(given.substr(0, scheme.size()), scheme);
        if (bearer && request.fields.count("Authorization") == 1) {
            shown.text = trimmed(given.substr(scheme.size()));
            for (const auto &kind : kinds_)
                if (kind->takes(shown.text)) co_return co_await kind->admit(bridge, std::move(shown));
        }
        Question question;
        question.address = shown.address;
        Answered answered = co_await ask_database(bridge, std::move(question));
        if (given.empty()) throw refusal("unauthenticated", "this needs a token", "", std::move(answered.headers));
        throw refusal("invalid_token", "these are no credentials that are taken here", "invalid_token", std::move(answered.headers));
    }

    asio::awaitable<Headers> admit_anybody(Bridge &bridge, const Request &request) override
    {
        Question question;
        question.address = counted_address(request, proxies_);
        Answered answered = co_await ask_database(bridge, std::move(question));
        co_return std::move(answered.headers);
    }

private:
    TrustedProxies proxies_;
    std::vector<std::unique_ptr<Credentials>> kinds_;
};

}  // namespace

std::unique_ptr<Authenticator> make_authenticator(const Options &options) { return std::make_unique<AnyCredentials>(options); }

}  // namespace orch::bridge
