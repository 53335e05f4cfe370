// JWTs of an OpenID Connect issuer. Who may what is in their claims; the database is asked only how often.
#include "access/credentials.hpp"
#include "access/keys.hpp"
#include "bridge.hpp"
#include "server/problem.hpp"

#include <curl/curl.h>

#include <algorithm>

namespace orch::bridge {

namespace asio = boost::asio;

namespace {

// The claim's text, or the texts of its array.
std::vector<std::string> texts_of(const core::Json *claim)
{
    std::vector<std::string> texts;
    if (claim == nullptr) return texts;
    if (claim->is_string()) texts.push_back(claim->get<std::string>());
    if (claim->is_array())
        for (const core::Json &one : *claim)
            if (one.is_string()) texts.push_back(one.get<std::string>());
    return texts;
}

// The first of the roles that the claim names; empty where it names none.
std::string role_of(const std::vector<std::string> &named)
{
    for (const char *role : {"orch_admin", "orch_operator", "orch_worker", "orch_viewer"})
        for (const std::string &name : named)
            if (name == role || "orch_" + name == role) return role;
    return {};
}

class OidcCredentials : public Credentials {
public:
    explicit OidcCredentials(const Options &options)
        : keys_(options.oidc_issuer), expected_{options.oidc_issuer, options.oidc_audience}, role_claim_(options.oidc_role_claim),
          tenant_claim_(options.oidc_tenant_claim)
    {
        if (options.oidc_audience.empty()) throw std::invalid_argument("--oidc-issuer needs --oidc-audience: a token for somebody else must not count here");
        curl_global_init(CURL_GLOBAL_DEFAULT);
    }

    [[nodiscard]] bool takes(std::string_view text) const override { return std::count(text.begin(), text.end(), '.') == 2; }

    asio::awaitable<Admission> admit(Bridge &bridge, Shown shown) override
    {
        Proof proof;
        try {
            proof.jwt = parse_jwt(shown.text);
        } catch (const BadJwt &bad) {
            proof.wrong = bad.what();
        }
        if (proof.wrong.empty()) {
            const IssuerKeys::Keys keys = co_await keys_for_token(bridge, proof.jwt);
            prove(proof, keys);
        }
        Question question;
        if (proof.wrong.empty()) question.subject = expected_.issuer + '#' + proof.subject.name;
        else question.address = std::move(shown.address);
        Answered answered = co_await ask_database(bridge, std::move(question));
        if (!proof.wrong.empty()) throw refusal("invalid_token", "the token is not taken: " + proof.wrong, "invalid_token", std::move(answered.headers));
        Admission admission;
        admission.headers = std::move(answered.headers);
        admission.principal.kind = "oidc";
        admission.principal.name = proof.subject.name;
        admission.principal.expires = proof.subject.expires;
        name_place(proof.jwt.claims, admission);
        co_return admission;
    }

private:
    struct Proof {
        Jwt jwt;
        JwtSubject subject;
        std::string wrong;  ///< empty where nothing is
    };

    // An issuer that cannot be asked is no fault of whoever shows a token.
    asio::awaitable<IssuerKeys::Keys> keys_for_token(Bridge &bridge, const Jwt &jwt)
    {
        IssuerKeys::Keys keys = co_await keys_.known(bridge);
        if (keys && key_for(jwt, *keys) == nullptr) keys = co_await keys_.newest(bridge);
        if (!keys)
            throw Problem(503, "issuer_away", "the issuer of such tokens cannot be reached").with("Retry-After", "5").hinting("The bridge's log says why.");
        co_return keys;
    }

    void prove(Proof &proof, const IssuerKeys::Keys &keys) const
    {
        try {
            const JwtKey *key = key_for(proof.jwt, *keys);
            if (key == nullptr) throw BadJwt("no key of the issuer fits it");
            if (!is_signed_by(proof.jwt, *key)) throw BadJwt("its signature is wrong");
            proof.subject = check_claims(proof.jwt.claims, expected_, std::chrono::system_clock::now());
        } catch (const BadJwt &bad) {
            proof.wrong = bad.what();
        }
    }

    // Which role and tenant the claims name; who is well known and has none of ours may do nothing.
    void name_place(const core::Json &claims, Admission &admission) const
    {
        admission.principal.role = role_of(texts_of(claim_at(claims, role_claim_)));
        if (admission.principal.role.empty()) refuse("no_role", "the token names no role of orch", role_claim_, admission);
        admission.principal.tenant = "default";
        if (tenant_claim_.empty()) return;
        const core::Json *claim = claim_at(claims, tenant_claim_);
        const bool good = claim != nullptr && claim->is_string() && is_tenant(claim->get_ref<const std::string &>());
        if (!good) refuse("no_tenant", "the token names no tenant", tenant_claim_, admission);
        admission.principal.tenant = claim->get<std::string>();
    }

    // "*" stands for all of them, which no token does.
    static bool is_tenant(const std::string &name)
    {
        return name != "*" && !name.empty() && name.size() <= 128 &&
               std::none_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; });
    }

    [[noreturn]] static void refuse(const char *code, const char *title, const std::string &claim, const Admission &admission)
    {
        Problem problem(403, code, title);
        problem.hint = "It has to stand in the claim \"" + claim + "\".";
        problem.headers = admission.headers;
        throw problem;
    }

    IssuerKeys keys_;
    JwtExpectations expected_;
    std::string role_claim_, tenant_claim_;
};

}  // namespace

std::unique_ptr<Credentials> oidc_credentials(const Options &options) { return std::make_unique<OidcCredentials>(options); }

}  // namespace orch::bridge
