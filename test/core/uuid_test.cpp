#include "core/uuid.hpp"

#include <gtest/gtest.h>

using namespace orch::core;

TEST(uuid, text_and_bytes_map_both_ways)
{
    const std::string text = "01932c07-209c-7abc-9def-0123456789ab";
    const auto uuid = uuid_from_text(text);
    ASSERT_TRUE(uuid);
    EXPECT_EQ(uuid_to_text(*uuid), text);
    EXPECT_EQ(uuid_from_text("01932C07-209C-7ABC-9DEF-0123456789AB"), uuid);
}

TEST(uuid, refuses_other_spellings)
{
    for (const char *text : {"", "01932c07209c7abc9def0123456789ab", "{01932c07-209c-7abc-9def-0123456789ab}", "01932c07-209c-7abc-9def-0123456789a",
                             "01932c07-209c-7abc-9def-0123456789ag", "01932c07-209c-7abc-9def_0123456789ab", "nightly_sales"})
        EXPECT_FALSE(uuid_from_text(text)) << text;
}

TEST(uuid, version_7_carries_time_counter_and_random_bits)
{
    const Uuid uuid = compose_uuid_v7(0x01932c07209c, 0xabc, 0x1def0123456789ab);
    EXPECT_EQ(uuid_to_text(uuid), "01932c07-209c-7abc-9def-0123456789ab");
    EXPECT_EQ(uuid_milliseconds(uuid), 0x01932c07209cu);
    EXPECT_EQ(uuid_sequence(uuid), 0x01932c07209cabcu);
}

TEST(uuid, bits_that_do_not_fit_cannot_spoil_version_and_variant)
{
    EXPECT_EQ(uuid_to_text(compose_uuid_v7(0xffffffffffff, 0xffff, UINT64_MAX)), "ffffffff-ffff-7fff-bfff-ffffffffffff");
    EXPECT_EQ(uuid_to_text(compose_uuid_v7(0, 0, 0)), "00000000-0000-7000-8000-000000000000");
}

TEST(uuid, a_range_is_consecutive_and_ordered_past_the_counters_end)
{
    const Uuid first = compose_uuid_v7(1000, 0xffe, 42);
    EXPECT_EQ(uuid_in_range(first, 0), first);
    for (uint64_t i = 0; i < 10'000; i++) {
        const Uuid here = uuid_in_range(first, i), next = uuid_in_range(first, i + 1);
        ASSERT_LT(here, next);
        ASSERT_EQ(uuid_sequence(next), uuid_sequence(first) + i + 1);
    }
    EXPECT_EQ(uuid_milliseconds(uuid_in_range(first, 2)), 1001u);
}
