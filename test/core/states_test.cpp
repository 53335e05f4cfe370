#include "core/states.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

using namespace orch::core;

TEST(states, every_letter_has_its_own_word)
{
    std::set<std::string_view> run_names, task_names;
    for (char letter : std::string("qdrpcSFTC")) run_names.insert(run_state_name(letter));
    for (char letter : std::string("pyrdwSFTKUC")) task_names.insert(task_state_name(letter));
    EXPECT_EQ(run_names.size(), 9u);
    EXPECT_EQ(task_names.size(), 11u);
    EXPECT_FALSE(run_names.contains(""));
    EXPECT_FALSE(task_names.contains(""));
}

TEST(states, other_letters_have_none)
{
    EXPECT_EQ(run_state_name('K'), "");
    EXPECT_EQ(task_state_name('q'), "");
    EXPECT_EQ(event_kind_name(0), "");
    EXPECT_EQ(event_kind_name(999), "");
}

TEST(states, capitals_are_final)
{
    for (char letter : std::string("SFTKUC")) EXPECT_TRUE(is_final(letter));
    for (char letter : std::string("pyrdwqc")) EXPECT_FALSE(is_final(letter));
}

TEST(states, events_of_ends_are_named_after_the_state)
{
    for (char letter : std::string("SFTKUC"))
        EXPECT_EQ(event_kind_name(static_cast<int16_t>(task_end_event(letter))), "task_" + std::string(task_state_name(letter)));
    for (char letter : std::string("SFTC"))
        EXPECT_EQ(event_kind_name(static_cast<int16_t>(run_end_event(letter))), "run_" + std::string(run_state_name(letter)));
}
