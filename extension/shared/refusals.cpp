#include "shared/refusals.hpp"

#include "shared/clock.hpp"
#include "shared/pending.hpp"

namespace orch::shared {

void refuse(const Refusal &refusal) noexcept
{
    try {
        database();
    } catch (...) {
        return;  // no shared memory: the caller's error says so
    }
    Wakes wakes;
    with_database(*mine, [&] {
        if (mine->refusal_count == max_refusals) {
            mine->refusals_dropped++;
            return;
        }
        mine->refusals[(mine->refusal_first + mine->refusal_count++) % max_refusals] = refusal;
        poke_steward(*mine, wakes);
    });
    wakes.flush();
}

bool refuse_again(Refusal refusal) noexcept
{
    constexpr int64_t pause_us = 500'000;
    constexpr uint8_t most_tries = 120;
    if (!mine || ++refusal.tries > most_tries) return false;
    with_database(*mine, [&] { mine->refusals_at = monotonic_us() + pause_us; });
    refuse(refusal);
    return true;
}

int take_refusals(int max, Refusal *out)
{
    Database &slot = database();
    make_room(1);
    const int taken = with_database_shared(slot, [&] {
        const int count = std::min(max, static_cast<int>(slot.refusal_count));
        for (int i = 0; i < count; i++) out[i] = slot.refusals[(slot.refusal_first + static_cast<uint32_t>(i)) % max_refusals];
        return count;
    });
    if (taken > 0) add(Op::refusals_taken).a = taken;
    return taken;
}

}  // namespace orch::shared
