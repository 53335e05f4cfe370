#include "core/circuit.hpp"

#include <gtest/gtest.h>

using namespace orch::core;

namespace {

using enum CircuitOutcome;

constexpr CircuitPolicy policy{.failures = 3, .successes = 2, .open_us = 60};

// One that has opened at `now`.
Circuit opened(int64_t now)
{
    Circuit circuit;
    for (int i = 0; i < policy.failures; i++) circuit.record(failure, circuit.enter(), policy, now);
    return circuit;
}

}  // namespace

TEST(circuit, opens_after_failures_in_a_row)
{
    Circuit circuit;
    for (const CircuitOutcome outcome : {failure, failure, success, failure, failure}) {
        EXPECT_TRUE(circuit.admits());
        EXPECT_EQ(circuit.enter(), 0u);
        EXPECT_FALSE(circuit.record(outcome, 0, policy, 10));
    }
    EXPECT_EQ(circuit.failures_in_row(), 2) << "a success sets the count back";
    EXPECT_FALSE(circuit.record(neither, 0, policy, 10));
    EXPECT_EQ(circuit.failures_in_row(), 2) << "what tells nothing of the other side neither adds nor sets back";
    EXPECT_TRUE(circuit.record(failure, 0, policy, 10));
    EXPECT_EQ(circuit.state(), CircuitState::open);
    EXPECT_FALSE(circuit.admits());
    EXPECT_EQ(circuit.half_open_at(), 70);
}

TEST(circuit, what_began_before_it_opened_counts_no_more)
{
    Circuit circuit = opened(0);
    EXPECT_FALSE(circuit.record(success, 0, policy, 1));
    EXPECT_FALSE(circuit.record(failure, 0, policy, 30));
    EXPECT_EQ(circuit.half_open_at(), 60) << "nor does it put the time off";
    ASSERT_TRUE(circuit.tick(60));
    EXPECT_FALSE(circuit.record(failure, 0, policy, 61));
    EXPECT_EQ(circuit.state(), CircuitState::half_open);
}

TEST(circuit, half_opens_by_time_and_lets_one_at_a_time_through)
{
    Circuit circuit = opened(0);
    EXPECT_FALSE(circuit.tick(59));
    EXPECT_TRUE(circuit.tick(60));
    EXPECT_FALSE(circuit.tick(61)) << "once";
    EXPECT_TRUE(circuit.admits());
    const uint32_t first = circuit.enter();
    EXPECT_NE(first, 0u);
    EXPECT_FALSE(circuit.admits());
    circuit.leave(first);
    EXPECT_TRUE(circuit.admits()) << "a probe that was given back makes room for the next";
    const uint32_t second = circuit.enter();
    circuit.leave(first);
    EXPECT_FALSE(circuit.admits()) << "and one that is long over does not";
    EXPECT_TRUE(circuit.is_probe(second));
}

TEST(circuit, closes_after_successes_of_probes_in_a_row)
{
    Circuit circuit = opened(0);
    circuit.tick(60);
    uint32_t probe = circuit.enter();
    EXPECT_FALSE(circuit.record(success, probe, policy, 61));
    circuit.leave(probe);
    probe = circuit.enter();
    EXPECT_FALSE(circuit.record(neither, probe, policy, 62));
    circuit.leave(probe);
    probe = circuit.enter();
    EXPECT_TRUE(circuit.record(success, probe, policy, 63));
    circuit.leave(probe);
    EXPECT_EQ(circuit.state(), CircuitState::closed);
    EXPECT_EQ(circuit.failures_in_row(), 0);
    EXPECT_TRUE(circuit.admits());
}

TEST(circuit, a_probe_that_fails_opens_it_again)
{
    Circuit circuit = opened(0);
    circuit.tick(60);
    uint32_t probe = circuit.enter();
    circuit.record(success, probe, policy, 61);
    circuit.leave(probe);
    probe = circuit.enter();
    EXPECT_TRUE(circuit.record(failure, probe, policy, 62));
    EXPECT_EQ(circuit.state(), CircuitState::open);
    EXPECT_EQ(circuit.half_open_at(), 122);
    circuit.tick(122);
    probe = circuit.enter();
    EXPECT_FALSE(circuit.record(success, probe, policy, 123)) << "the success before the failure is forgotten";
}

TEST(circuit, closed_by_hand_it_forgets_the_probe_that_is_out)
{
    Circuit circuit = opened(0);
    circuit.tick(60);
    const uint32_t probe = circuit.enter();
    circuit.close();
    EXPECT_TRUE(circuit.admits());
    for (int i = 0; i < policy.failures; i++) circuit.record(failure, 0, policy, 70);
    circuit.tick(200);
    EXPECT_FALSE(circuit.record(success, probe, policy, 201));
    EXPECT_TRUE(circuit.admits());
}
