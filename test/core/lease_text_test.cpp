#include "core/lease_text.hpp"

#include <gtest/gtest.h>

#include <random>

using namespace orch::core;

TEST(lease_text, comes_back_as_it_went)
{
    std::mt19937_64 random(7);
    for (int i = 0; i < 2000; i++) {
        Lease lease;
        for (auto &byte : lease.run_id) byte = static_cast<uint8_t>(random());
        lease.task_no = static_cast<int32_t>(random() & 0x7fffffff);
        lease.attempt = static_cast<int32_t>((random() & 0x7ffffffe) + 1);
        lease.token = random();
        const std::string text = encode_lease(lease);
        ASSERT_EQ(text.size(), 43u);
        ASSERT_EQ(text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), std::string::npos);
        ASSERT_EQ(decode_lease(text), lease);
    }
}

TEST(lease_text, keeps_the_extremes)
{
    Lease lease;
    lease.run_id.fill(0xff);
    lease.task_no = INT32_MAX;
    lease.attempt = INT32_MAX;
    lease.token = UINT64_MAX;
    EXPECT_EQ(decode_lease(encode_lease(lease)), lease);
}

TEST(lease_text, refuses_what_it_did_not_make)
{
    Lease lease;
    lease.attempt = 1;
    const std::string good = encode_lease(lease);
    ASSERT_TRUE(decode_lease(good));
    for (const std::string &text : {std::string(), good + "A", good.substr(1), good.substr(1) + "=", good.substr(0, 42) + " ", good.substr(0, 42) + "+",
                                    good.substr(0, 42) + std::string(1, '\0'), good.substr(0, 42) + "B"})
        EXPECT_FALSE(decode_lease(text)) << text;
}

TEST(lease_text, refuses_numbers_that_no_lease_has)
{
    Lease lease;
    lease.attempt = 0;
    EXPECT_FALSE(decode_lease(encode_lease(lease)));
    lease.attempt = 1;
    lease.task_no = -1;
    EXPECT_FALSE(decode_lease(encode_lease(lease)));
}

TEST(lease_text, each_changed_character_makes_another_lease_or_none)
{
    Lease lease;
    lease.attempt = 3;
    lease.token = 0x0123456789abcdef;
    const std::string good = encode_lease(lease);
    for (std::size_t i = 0; i < good.size(); i++) {
        std::string changed = good;
        changed[i] = good[i] == 'x' ? 'y' : 'x';
        const auto decoded = decode_lease(changed);
        EXPECT_TRUE(!decoded || *decoded != lease) << i;
    }
}
