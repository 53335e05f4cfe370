#pragma once

#include <string>
#include <string_view>

namespace orch {

/// The text as PostgreSQL can store it: each invalid UTF-8 byte sequence and each NUL becomes U+FFFD.
[[nodiscard]] std::string clean_text(std::string_view bytes);

/// Length of the UTF-8 character at the start of `bytes` (1 to 4), or 0 where there is none that is valid and complete.
[[nodiscard]] size_t character_length(std::string_view bytes) noexcept;

/// At most `max` bytes from the front, never half a character.
[[nodiscard]] std::string_view front_of(std::string_view text, size_t max) noexcept;

/// At most `max` bytes from the back, never half a character.
[[nodiscard]] std::string_view back_of(std::string_view text, size_t max) noexcept;

}  // namespace orch
