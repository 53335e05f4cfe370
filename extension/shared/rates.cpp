// Two tables of buckets in sets of eight: those who have shown who they are, and addresses, of which anybody may have many. So a flood of addresses costs no token its bucket.
#include "shared/rates.hpp"

#include "shared/clock.hpp"
#include "shared/database.hpp"
#include "shared/pending.hpp"

extern "C" {
#include "common/hashfn.h"
}

namespace orch::shared {

namespace {

constexpr int64_t write_after_us = 60'000'000;

struct BucketKey {
    uint64_t words[2];
};

// Seeded by the start of the server, so that nobody can choose whose set he falls into.
BucketKey key_of(Asker asker, std::string_view text, uint32_t extension)
{
    const auto *bytes = reinterpret_cast<const unsigned char *>(text.data());
    const uint64_t owner = mix(uint64_t{extension} << 8 | static_cast<uint64_t>(asker));
    BucketKey key{};
    for (int i = 0; i < 2; i++) key.words[i] = mix(hash_bytes_extended(bytes, static_cast<int>(text.size()), root->name_seed[i]) ^ owner);
    return key;
}

/// The bucket of a key, or the place for one. The set's lock is held.
RateBucket &bucket_for(RateBucket *set, const BucketKey &key, int64_t now) noexcept
{
    // The smaller the better: full and nothing to write; full; then the nearest to it.
    const auto worth = [now](const RateBucket &b) { return std::pair(std::max<int64_t>(b.full_at - now, 0), b.used_at != 0); };
    RateBucket *best = set;
    for (RateBucket *b = set; b < set + rate_ways; b++) {
        if (b->key[0] == key.words[0] && b->key[1] == key.words[1]) return *b;
        if (worth(*b) < worth(*best)) best = b;
    }
    *best = {{key.words[0], key.words[1]}, 0, 0, 0, InvalidOid};
    return *best;
}

void want_uses_written()
{
    Database &slot = database();
    if (pg_atomic_read_u64(&slot.uses_due) != UINT64_MAX) return;
    Wakes wakes;
    with_database(slot, [&] {
        if (pg_atomic_read_u64(&slot.uses_due) != UINT64_MAX) return;
        const int64_t due = monotonic_us() + write_after_us;
        pg_atomic_write_u64(&slot.uses_due, static_cast<uint64_t>(due));
        note_deadline(slot, due, wakes);
    });
    wakes.flush();
}

template <class F>
auto with_set(uint32_t set, F &&f)
{
    return with_lock(&locks[first_rate_lock + static_cast<int>(set % rate_locks)].lock, LW_EXCLUSIVE, f);
}

}  // namespace

core::Taken take_from(Asker asker, std::string_view key, uint32_t extension, const core::Rate &rate, int32_t token_id)
{
    require_preloaded();
    const BucketKey hashed = key_of(asker, key, extension);
    const auto set = static_cast<uint32_t>(hashed.words[0] % rate_sets);
    RateBucket *buckets = (asker == Asker::address ? root->address_buckets : root->buckets) + size_t{set} * rate_ways;
    const core::Taken taken = with_set(set, [&] {
        const int64_t now = monotonic_us();
        RateBucket &bucket = bucket_for(buckets, hashed, now);
        if (token_id) {
            bucket.token_id = token_id;
            bucket.database = MyDatabaseId;
            bucket.used_at = now_us();
        }
        return core::take_one(rate, bucket.full_at, now);
    });
    if (token_id) want_uses_written();
    return taken;
}

std::vector<TokenUse> token_uses(bool take)
{
    require_preloaded();
    // Before they are read: a use that is noted meanwhile asks again.
    if (take) pg_atomic_write_u64(&database().uses_due, UINT64_MAX);
    std::vector<TokenUse> uses;
    for (uint32_t set = 0; set < rate_sets; set++) {
        uses.reserve(uses.size() + rate_ways);
        with_set(set, [&] {
            for (RateBucket *b = root->buckets + size_t{set} * rate_ways, *end = b + rate_ways; b < end; b++) {
                if (b->used_at == 0 || b->database != MyDatabaseId) continue;
                uses.push_back({b->token_id, b->used_at});
                if (take) b->used_at = 0;
            }
        });
    }
    return uses;
}

}  // namespace orch::shared
