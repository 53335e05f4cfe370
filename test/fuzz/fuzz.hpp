// A fuzz target is one file: it defines orch::fuzz::one, which may be given any bytes and stops the process where a promise of the core does not hold.
// Linked with replay.cpp it runs the files of its corpus, in every check; built with ORCH_FUZZ by clang it is a libFuzzer program (test/soak/fuzz).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace orch::fuzz {

/// The target.
void one(std::string_view bytes);

/// Not assert, which a release build leaves out.
inline void promise(bool holds, const char *what)
{
    if (holds) return;
    std::fprintf(stderr, "does not hold: %s\n", what);
    std::abort();
}

/// Choices that the bytes alone decide, so that a finding can be run again.
class Dice {
public:
    explicit Dice(std::string_view bytes)
    {
        for (char c : bytes) state_ = (state_ ^ static_cast<uint8_t>(c)) * 0x100000001b3u;
    }

    uint64_t below(uint64_t limit)
    {
        state_ = state_ * 6364136223846793005u + 1442695040888963407u;
        return (state_ >> 33) % limit;
    }

private:
    uint64_t state_ = 0xcbf29ce484222325u;
};

}  // namespace orch::fuzz

// Here, since a target is the only file that includes this one.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    orch::fuzz::one(std::string_view(reinterpret_cast<const char *>(bytes), size));
    return 0;
}
