#include "pg/hmac.hpp"

extern "C" {
#include "common/hmac.h"
#include "common/sha2.h"
}

namespace orch::pg {

static_assert(std::tuple_size_v<Sha256> == PG_SHA256_DIGEST_LENGTH);

Sha256 hmac_sha256(std::string_view key, std::initializer_list<std::string_view> parts)
{
    Sha256 hash{};
    call_pg([&] {
        pg_hmac_ctx *context = pg_hmac_create(PG_SHA256);
        bool done = context && pg_hmac_init(context, reinterpret_cast<const uint8 *>(key.data()), key.size()) >= 0;
        for (const std::string_view *part = parts.begin(); part != parts.end(); part++)
            done = done && pg_hmac_update(context, reinterpret_cast<const uint8 *>(part->data()), part->size()) >= 0;
        done = done && pg_hmac_final(context, hash.data(), hash.size()) >= 0;
        if (context) pg_hmac_free(context);
        if (!done) elog(ERROR, "could not compute an HMAC");
    });
    return hash;
}

Sha256 random_bytes()
{
    Sha256 bytes{};
    call_pg([&] {
        if (!pg_strong_random(bytes.data(), bytes.size())) elog(ERROR, "could not generate a secret");
    });
    return bytes;
}

}  // namespace orch::pg
