#pragma once

#include "live_tree.hpp"

#include <string>
#include <vector>

namespace orch::cli {

/// The terminal at standard output, or that there is none.
class terminal {
public:
    terminal();
    terminal(const terminal &) = delete;
    terminal &operator=(const terminal &) = delete;

    [[nodiscard]] bool is_there() const noexcept { return is_there_; }
    [[nodiscard]] size_t width() const;
    [[nodiscard]] size_t height() const;

    /// Puts these lines where the ones before stood. Colours unless NO_COLOR is set.
    void redraw(const std::vector<tree_line> &lines);

private:
    bool is_there_ = false, has_colours_ = false;
    size_t drawn_ = 0;
};

}  // namespace orch::cli
