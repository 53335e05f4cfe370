#include "captured_output.hpp"

#include "orch/text.hpp"

#include <algorithm>

namespace orch {
namespace {

size_t json_cost(char c) noexcept
{
    if (c == '"' || c == '\\' || c == '\n' || c == '\t' || c == '\r' || c == '\b' || c == '\f') return 2;
    return static_cast<unsigned char>(c) < 0x20 ? 6 : 1;
}

/// How many bytes of `bytes` from its start (step 1) or its end (step -1) cost at most `budget`.
size_t fitting(std::string_view bytes, size_t budget, bool from_end) noexcept
{
    size_t count = 0;
    for (; count < bytes.size(); ++count) {
        const size_t cost = json_cost(from_end ? bytes[bytes.size() - 1 - count] : bytes[count]);
        if (cost > budget) break;
        budget -= cost;
    }
    return count;
}

/// A cut in the raw bytes may have split a character; its remains are not an error of the program, so they go without a mark.
std::string_view without_split_start(std::string_view bytes)
{
    for (int i = 0; i < 3 && !bytes.empty() && (static_cast<unsigned char>(bytes[0]) & 0xC0) == 0x80; ++i) bytes.remove_prefix(1);
    return bytes;
}

std::string_view without_split_end(std::string_view bytes)
{
    for (size_t back = 1; back <= 3 && back <= bytes.size(); ++back) {
        const auto tail = bytes.substr(bytes.size() - back);
        if ((static_cast<unsigned char>(tail[0]) & 0xC0) == 0x80) continue;
        if (static_cast<unsigned char>(tail[0]) >= 0xC0 && character_length(tail) == 0) bytes.remove_suffix(back);
        break;
    }
    return bytes;
}

}  // namespace

size_t json_size(std::string_view text) noexcept
{
    size_t size = 0;
    for (const char c : text) size += json_cost(c);
    return size;
}

void captured_output::push(std::string_view bytes)
{
    total_ += bytes.size();
    if (const auto last = bytes.find_last_not_of('\n'); last != bytes.npos) {
        const auto newline = bytes.rfind('\n', last);
        if (newline != bytes.npos) first_of_line_ = bytes[newline + 1];
        else if (at_line_start_) first_of_line_ = bytes[0];
    }
    if (!bytes.empty()) at_line_start_ = bytes.back() == '\n';
    const size_t to_front = std::min(bytes.size(), limit_ / 2 - std::min(limit_ / 2, front_.size()));
    front_ += bytes.substr(0, to_front);
    back_ += bytes.substr(to_front);
    if (back_.size() <= 2 * limit_) return;
    dropped_ += back_.size() - limit_;
    back_.erase(0, back_.size() - limit_);
}

std::string captured_output::text(size_t json_bytes) const
{
    std::string front, back;
    if (dropped_ == 0) {
        front = clean_text(front_ + back_);
        if (json_size(front) <= json_bytes) return front;
        back = front;
    } else {
        front = clean_text(without_split_end(front_));
        back = clean_text(without_split_start(back_));
    }
    const auto marker = [&](size_t gone) { return "\n[... " + std::to_string(gone) + " bytes left out ...]\n"; };
    const size_t for_text = json_bytes - std::min(json_bytes, marker(total_).size() + 2);
    const auto kept_front = front_of(front, fitting(front, for_text / 2, false));
    const auto kept_back = back_of(back, fitting(back, for_text - for_text / 2, true));
    const size_t kept = kept_front.size() + kept_back.size();
    return std::string(kept_front) + marker(total_ - std::min(total_, kept)) + std::string(kept_back);
}

captured_output::line captured_output::last_line() const
{
    const std::string all = dropped_ == 0 ? front_ + back_ : back_;
    std::string_view rest = all;
    const auto last = rest.find_last_not_of(" \t\r\n");
    if (last == rest.npos) return {};
    rest = rest.substr(0, last + 1);
    const auto newline = rest.rfind('\n');
    if (newline == rest.npos) return {std::string(rest), dropped_ == 0, first_of_line_};
    return {std::string(rest.substr(newline + 1)), true, rest[newline + 1]};
}

}  // namespace orch
