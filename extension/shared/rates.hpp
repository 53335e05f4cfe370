// Who may ask how often: token buckets that all bridges share. Bounded: the place of a bucket that is full again goes to whoever needs one.
#pragma once

#include "core/rate.hpp"

#include <string_view>
#include <vector>

namespace orch::shared {

enum class Asker : uint8_t { token, subject, address };

/// Takes one from somebody's bucket; exact, whoever takes at the same time. `extension` tells databases apart, and those whose extension was made again. With a token_id the use is noted,
/// whatever the answer; the steward writes it a minute later. Only where thousands ask at the same time is a place taken away that is not full, the one that is nearest to it.
core::Taken take_from(Asker asker, std::string_view key, uint32_t extension, const core::Rate &rate, int32_t token_id = 0);

struct TokenUse {
    int32_t token_id;
    int64_t at;  // wall clock
};

/// The uses that no row tells yet. `take` forgets them: the steward's, before it writes.
std::vector<TokenUse> token_uses(bool take);

}  // namespace orch::shared
