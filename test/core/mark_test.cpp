#include "core/mark.hpp"

#include <gtest/gtest.h>

namespace orch::core::mark_test {

namespace {

const Uuid one = compose_uuid_v7(1, 1, 1), two = compose_uuid_v7(2, 2, 2), fresh = compose_uuid_v7(3, 3, 3);

constexpr StartSigns plain{}, standby{.standby_signal = true}, held_clone{.standby_signal = true, .hold_on_promotion = true}, restore{.recovery_signal = true},
    raw_backup{.backup_label = true};

}  // namespace

TEST(mark, a_plain_start_makes_none_and_keeps_one)
{
    EXPECT_EQ(mark_at_start({}, plain, fresh), Mark{});
    const Mark copied{one, {}};
    EXPECT_EQ(mark_at_start(copied, plain, fresh), copied);
    EXPECT_EQ(copied.id(), one);
}

TEST(mark, a_restore_always_makes_a_new_one)
{
    const Mark made{fresh, {}};
    EXPECT_EQ(mark_at_start({}, restore, fresh), made);
    EXPECT_EQ(mark_at_start({one, two}, restore, fresh), made);
    EXPECT_EQ(mark_at_start({}, raw_backup, fresh), made) << "a base backup that is just started";
}

TEST(mark, a_standby_keeps_what_its_primary_had)
{
    const Mark copied{one, {}};
    EXPECT_EQ(mark_at_start(copied, standby, fresh), copied);
    EXPECT_EQ(mark_at_start({}, standby, fresh), Mark{});
    constexpr StartSigns both{.standby_signal = true, .recovery_signal = true, .backup_label = true};
    EXPECT_EQ(mark_at_start({}, both, fresh), Mark{}) << "standby.signal goes before the others";
}

TEST(mark, hold_on_promotion_counts_at_each_start_of_a_standby)
{
    const Mark held = mark_at_start({one, {}}, held_clone, fresh);
    EXPECT_EQ(held.id(), fresh);
    EXPECT_EQ(mark_at_start(held, held_clone, two).id(), two);
    EXPECT_EQ(mark_at_start(held, standby, two).id(), one) << "switched off before the promotion: as its primary is";
}

TEST(mark, a_promotion_makes_it_stay)
{
    const Mark promoted = mark_after_recovery({one, two});
    EXPECT_EQ(promoted.id(), two);
    EXPECT_EQ(mark_at_start({one, two}, plain, fresh), promoted) << "a crash before anybody noted it";
    EXPECT_EQ(mark_at_start(promoted, standby, fresh).id(), two) << "a standby made of it";
}

TEST(mark, its_text_reads_back)
{
    for (const Mark &mark : {Mark{}, Mark{one, {}}, Mark{{}, two}, Mark{one, two}}) EXPECT_EQ(mark_from_text(mark_to_text(mark)), mark);
    for (const char *text : {"x", "copied \n", "copied 1\n", "\n"}) EXPECT_EQ(mark_from_text(text), std::nullopt) << text;
    EXPECT_EQ(mark_from_text("copied " + uuid_to_text(one)), std::nullopt) << "cut short";
}

}  // namespace orch::core::mark_test
