#pragma once

#include <string>
#include <string_view>

namespace orch {

/// One stream of a command, kept in bounded memory: its beginning and its end, and the number of bytes between them that are gone.
class captured_output {
public:
    explicit captured_output(size_t limit) : limit_(limit) {}

    void push(std::string_view bytes);

    /// The whole as clean text of at most `json_bytes` bytes once written as a JSON string; what does not fit is cut from the middle and marked.
    [[nodiscard]] std::string text(size_t json_bytes) const;

    /// The last line that is not blank; `whole` says whether its beginning is still here.
    struct line {
        std::string text;
        bool whole = true;
        char first = '\0';  // known even where the rest of the beginning is gone
    };
    [[nodiscard]] line last_line() const;

    [[nodiscard]] size_t total() const noexcept { return total_; }

private:
    size_t limit_;
    size_t total_ = 0;
    std::string front_;  // up to limit_ / 2
    std::string back_;   // what followed, at least its last limit_ bytes
    size_t dropped_ = 0;
    char first_of_line_ = '\0';
    bool at_line_start_ = true;
};

/// Bytes that the text takes up as a JSON string, without its quotes.
[[nodiscard]] size_t json_size(std::string_view text) noexcept;

}  // namespace orch
