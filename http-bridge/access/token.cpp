// Tokens of orch.create_token. Nothing of them is kept here: the database is asked for each request, so that one that is revoked is dead everywhere at once.
#include "access/credentials.hpp"
#include "core/encoding.hpp"
#include "server/problem.hpp"

#include <openssl/evp.h>

#include <array>

namespace orch::bridge {

namespace asio = boost::asio;

namespace {

// The token itself never leaves this process: a server may log the parameters of its statements.
std::string sha256_hex(std::string_view text)
{
    std::array<unsigned char, EVP_MAX_MD_SIZE> hash{};
    unsigned length = 0;
    if (EVP_Digest(text.data(), text.size(), hash.data(), &length, EVP_sha256(), nullptr) != 1) throw std::runtime_error("SHA-256 failed");
    return core::hex({hash.data(), length});
}

class TokenCredentials : public Credentials {
public:
    [[nodiscard]] bool takes(std::string_view text) const override { return text.starts_with("orch_"); }

    asio::awaitable<Admission> admit(Bridge &bridge, Shown shown) override
    {
        Question question;
        question.token_hash = sha256_hex(shown.text);
        question.address = std::move(shown.address);
        Answered answered = co_await ask_database(bridge, std::move(question));
        if (answered.status != "ok") {
            const std::string title = answered.status == "expired"   ? "the token has expired"
                                      : answered.status == "revoked" ? "the token was revoked"
                                                                     : "the token is unknown";
            throw refusal(answered.status + "_token", title, "invalid_token", std::move(answered.headers));
        }
        Admission admission;
        admission.principal = std::move(answered.principal);
        admission.headers = std::move(answered.headers);
        co_return admission;
    }
};

}  // namespace

std::unique_ptr<Credentials> token_credentials() { return std::make_unique<TokenCredentials>(); }

}  // namespace orch::bridge
