// Leases: a text stands for one lease or for none, and every lease has its text.

#include "fuzz.hpp"

#include "core/lease_text.hpp"

#include <cstring>

using namespace orch::core;
using orch::fuzz::promise;

void orch::fuzz::one(std::string_view bytes)
{
    if (const auto lease = decode_lease(bytes)) promise(encode_lease(*lease) == bytes, "no two texts stand for one lease");

    Lease lease;
    const std::size_t size = lease.run_id.size() + sizeof lease.task_no + sizeof lease.attempt + sizeof lease.token;
    if (bytes.size() < size) return;
    const char *from = bytes.data();
    const auto take = [&](void *to, std::size_t count) { std::memcpy(to, from, count), from += count; };
    take(lease.run_id.data(), lease.run_id.size());
    take(&lease.task_no, sizeof lease.task_no);
    take(&lease.attempt, sizeof lease.attempt);
    take(&lease.token, sizeof lease.token);
    const std::string text = encode_lease(lease);
    promise(text.size() == 43 && text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") == std::string::npos,
            "a lease is 43 plain characters");
    const auto back = decode_lease(text);
    // What no engine makes, an attempt 0 say, may be refused; it is never read as another lease.
    promise(!back || *back == lease, "a lease comes back as it was");
    promise(back || lease.task_no < 0 || lease.attempt < 1, "and every lease of the engine does");
}
