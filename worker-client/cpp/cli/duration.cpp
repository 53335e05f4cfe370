#include "duration.hpp"

#include <charconv>
#include <stdexcept>

namespace orch::cli {

std::chrono::milliseconds duration(const std::string &text)
{
    double number = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
    const std::string unit(end, text.data() + text.size());
    const double factor = unit == "ms"                   ? 1
                          : unit.empty() || unit == "s"  ? 1000
                          : unit == "m" || unit == "min" ? 60e3
                          : unit == "h"                  ? 3600e3
                          : unit == "d"                  ? 86400e3
                                                         : 0;
    // 100 years; a nan fails both comparisons.
    if (failure != std::errc{} || factor == 0 || !(number >= 0 && number * factor <= 3.2e12))
        throw std::invalid_argument("\"" + text + "\" is no duration: write 250ms, 30s, 5m, 1.5h or 2d");
    return std::chrono::milliseconds(static_cast<int64_t>(number * factor));
}

}  // namespace orch::cli
