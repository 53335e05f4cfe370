#include "shared/bitmap.hpp"
#include "shared/buddy.hpp"
#include "shared/hash_chains.hpp"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <vector>

namespace {

using namespace orch::shared;

struct Arena {
    explicit Arena(size_t bytes) : memory(bytes), marks(BuddyArena::mark_bytes(bytes)) { buddy.init(memory.data(), marks.data(), bytes); }
    Index take(size_t bytes) { return buddy.allocate(memory.data(), marks.data(), bytes); }
    void give(Index at) { buddy.free(memory.data(), marks.data(), at); }

    BuddyArena buddy;
    std::vector<std::byte> memory;
    std::vector<uint8_t> marks;
};

TEST(BuddyArena, never_gives_overlapping_blocks_and_gets_whole_again)
{
    for (const size_t size : {size_t{1} << 16, size_t{100'000} / 64 * 64, size_t{64}, size_t{192}}) {
        Arena arena(size);
        std::mt19937_64 random(size);
        std::map<Index, uint32_t> taken;  // begin, units
        for (int step = 0; step < 20000; step++) {
            if (random() % 2 || taken.empty()) {
                const size_t bytes = size_t{1} << random() % 12;
                const Index at = arena.take(bytes);
                if (at == nil) continue;
                const uint32_t units = uint32_t{1} << BuddyArena::order_of(bytes);
                ASSERT_LE((size_t{at} + units) * BuddyArena::unit, size);
                const auto after = taken.lower_bound(at);
                if (after != taken.end()) { ASSERT_LE(at + units, after->first); }
                if (after != taken.begin()) { ASSERT_LE(std::prev(after)->first + std::prev(after)->second, at); }
                taken[at] = units;
                std::memset(arena.memory.data() + size_t{at} * 64, 0xab, bytes);
            } else {
                auto victim = std::next(taken.begin(), static_cast<long>(random() % taken.size()));
                arena.give(victim->first);
                taken.erase(victim);
            }
        }
        for (const auto &[at, units] : taken) arena.give(at);
        EXPECT_EQ(arena.buddy.used, 0u);
        const size_t largest = std::bit_floor(size / 64) * 64;
        EXPECT_NE(arena.take(largest), nil) << size;
    }
}

TEST(BuddyArena, refuses_what_does_not_fit)
{
    Arena arena(1024);
    EXPECT_EQ(arena.take(1025), nil);
    EXPECT_EQ(arena.take(size_t{1} << 40), nil);
    EXPECT_NE(arena.take(1024), nil);
    EXPECT_EQ(arena.take(1), nil);
}

struct Link {
    int value;
    Index chain;
};

TEST(HashChains, finds_the_newest_and_removes_any)
{
    std::vector<Link> links(100);
    auto chains = std::make_unique<HashChains<Link, &Link::chain, 8>>();
    chains->clear();
    for (Index i = 0; i < 100; i++) {
        links[i].value = static_cast<int>(i % 10);
        chains->insert(links.data(), i, mix(i % 10));
    }
    const auto is = [](int value) { return [value](const Link &link) { return link.value == value; }; };
    EXPECT_EQ(chains->find(links.data(), mix(3), is(3)), 93u);
    EXPECT_TRUE(chains->remove(links.data(), 93, mix(3)));
    EXPECT_FALSE(chains->remove(links.data(), 93, mix(3)));
    EXPECT_EQ(chains->find(links.data(), mix(3), is(3)), 83u);
    int seen = 0;
    chains->each(links.data(), mix(3), [&](Index i) {
        if (links[i].value != 3) return;
        chains->remove(links.data(), i, mix(3));
        seen++;
    });
    EXPECT_EQ(seen, 9);
    EXPECT_EQ(chains->find(links.data(), mix(3), is(3)), nil);
    EXPECT_EQ(chains->find(links.data(), mix(4), is(4)), 94u);
}

TEST(HashChains, spreads_consecutive_ids)
{
    std::array<int, 256> buckets{};
    for (uint64_t i = 0; i < 25600; i++) {
        std::array<uint8_t, 16> id{};
        for (int b = 0; b < 8; b++) id[static_cast<size_t>(7 - b)] = static_cast<uint8_t>(i >> (8 * b));
        buckets[hash_id(id) & 255]++;
    }
    for (const int bucket : buckets) {
        EXPECT_GT(bucket, 40);
        EXPECT_LT(bucket, 200);
    }
}

TEST(Bitmap, finds_members_from_any_start_around_the_end)
{
    Bitmap<256> map;
    const auto any = [](int) { return true; };
    EXPECT_EQ(map.find_from(17, any), -1);
    for (const int member : {3, 64, 200}) map.set(member);
    EXPECT_EQ(map.find_from(0, any), 3);
    EXPECT_EQ(map.find_from(3, any), 3);
    EXPECT_EQ(map.find_from(4, any), 64);
    EXPECT_EQ(map.find_from(65, any), 200);
    EXPECT_EQ(map.find_from(201, any), 3);
    EXPECT_EQ(map.find_from(255, [](int member) { return member == 200; }), 200);
    EXPECT_EQ(map.find_from(4, [](int member) { return member == 3; }), 3);
    std::set<int> seen;
    map.each([&](int member) { seen.insert(member); });
    EXPECT_EQ(seen, (std::set<int>{3, 64, 200}));
    map.reset(64);
    EXPECT_EQ(map.count(), 2);
}

}  // namespace
