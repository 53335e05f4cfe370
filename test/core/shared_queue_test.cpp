#include "shared/free_list.hpp"
#include "shared/key_queue.hpp"

#include <gtest/gtest.h>

#include <queue>
#include <random>
#include <vector>

namespace {

using namespace orch::shared;

struct Node {
    int64_t key;
    Index child, next;
};

TEST(PairingHeap, gives_keys_in_ascending_order)
{
    std::mt19937_64 random(7);
    std::vector<Node> nodes(5000);
    PairingHeap<Node> heap;
    for (Index i = 0; i < nodes.size(); i++) {
        nodes[i].key = static_cast<int64_t>(random() % 1000) - 500;
        heap.push(nodes.data(), i);
    }
    int64_t before = INT64_MIN;
    size_t count = 0;
    for (; !heap.empty(); count++) {
        const int64_t key = nodes[heap.pop(nodes.data())].key;
        ASSERT_LE(before, key);
        before = key;
    }
    EXPECT_EQ(count, nodes.size());
}

TEST(PairingHeap, takes_a_million_keys_in_order_without_recursion)
{
    std::vector<Node> nodes(1'000'000);
    PairingHeap<Node> heap;
    for (Index i = 0; i < nodes.size(); i++) {
        nodes[i].key = i;
        heap.push(nodes.data(), i);
    }
    for (int64_t i = 0; i < 1'000'000; i++) ASSERT_EQ(nodes[heap.pop(nodes.data())].key, i);
}

TEST(KeyQueue, agrees_with_a_priority_queue_under_mixed_use)
{
    for (uint64_t seed = 1; seed <= 50; seed++) {
        std::mt19937_64 random(seed);
        std::vector<Node> nodes(2000);
        Pool<Node> pool;
        pool.capacity = 2000;
        KeyQueue<Node> queue;
        std::priority_queue<int64_t, std::vector<int64_t>, std::greater<>> expected;
        int64_t clock = 0;
        for (int step = 0; step < 20000; step++) {
            if (random() % 2) {
                const Index index = pool.pop(nodes.data());
                if (index == nil) continue;
                clock += static_cast<int64_t>(random() % 3);
                nodes[index].key = random() % 8 ? clock : clock - static_cast<int64_t>(random() % 5000);  // mostly in order
                expected.push(nodes[index].key);
                queue.push(nodes.data(), index);
            } else {
                ASSERT_EQ(queue.smallest(nodes.data()), expected.empty() ? INT64_MAX : expected.top());
                const Index index = queue.pop(nodes.data());
                ASSERT_EQ(index == nil, expected.empty());
                if (index == nil) continue;
                ASSERT_EQ(nodes[index].key, expected.top());
                expected.pop();
                if (random() % 4) pool.push(nodes.data(), index);
                else {  // an abort gives it back
                    expected.push(nodes[index].key);
                    queue.push(nodes.data(), index);
                }
            }
            ASSERT_EQ(queue.count, expected.size());
        }
    }
}

TEST(KeyQueue, keeps_equal_keys_that_come_in_order_in_order)
{
    std::vector<Node> nodes(100);
    KeyQueue<Node> queue;
    for (Index i = 0; i < 100; i++) {
        nodes[i].key = 5;
        queue.push(nodes.data(), i);
    }
    for (Index i = 0; i < 100; i++) EXPECT_EQ(queue.pop(nodes.data()), i);
    EXPECT_TRUE(queue.empty());
    EXPECT_EQ(queue.pop(nodes.data()), nil);
}

TEST(Pool, hands_out_every_node_once_and_then_none)
{
    std::vector<Node> nodes(10);
    Pool<Node> pool;
    pool.capacity = 10;
    FreeList<Node> own;
    EXPECT_EQ(draw(pool, own, nodes.data(), 4), 4u);
    EXPECT_EQ(pool.available(), 6u);
    EXPECT_EQ(draw(pool, own, nodes.data(), 100), 6u);
    EXPECT_EQ(pool.pop(nodes.data()), nil);
    std::vector<bool> seen(10);
    for (Index i; (i = own.pop(nodes.data())) != nil;) {
        EXPECT_FALSE(seen[i]);
        seen[i] = true;
        pool.push(nodes.data(), i);
    }
    EXPECT_EQ(pool.available(), 10u);
    EXPECT_EQ(draw(pool, own, nodes.data(), 8), 8u);
    give_back(pool, own, nodes.data(), 3);
    EXPECT_EQ(own.count, 3u);
    EXPECT_EQ(pool.available(), 7u);
}

}  // namespace
