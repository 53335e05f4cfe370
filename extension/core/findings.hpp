// What validation has found so far, and the place it is at. Only the first problems are kept: a hostile definition may have millions.
#pragma once

#include "core/problem.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace orch::core {

/// A place in the document, as a chain on the stack: its JSON Pointer is spelled out only for a problem.
struct Place {
    const Place *up = nullptr;
    std::string_view key;
    std::size_t index = no_index;

    static constexpr std::size_t no_index = static_cast<std::size_t>(-1);

    Place operator/(std::string_view child) const { return {this, child, no_index}; }
    Place operator/(std::size_t child) const { return {this, {}, child}; }

    std::string pointer() const
    {
        if (up == nullptr) return {};
        return index == no_index ? pointer_to(up->pointer(), key) : pointer_to(up->pointer(), index);
    }
};

class Findings {
public:
    explicit Findings(std::size_t most) : most_(most) {}

    void error(ProblemCode code, const Place &place, std::string message, std::string detail = {}, std::string hint = {})
    {
        add(Severity::error, code, place, std::move(message), std::move(detail), std::move(hint));
    }

    void warning(ProblemCode code, const Place &place, std::string message, std::string detail = {}, std::string hint = {})
    {
        add(Severity::warning, code, place, std::move(message), std::move(detail), std::move(hint));
    }

    std::size_t count() const { return problems_.size() + hidden_; }

    std::vector<Problem> take() &&
    {
        if (hidden_ > 0)
            problems_.push_back({hidden_errors_ ? Severity::error : Severity::warning,
                                 {},
                                 std::string(code_name(ProblemCode::more_problems)),
                                 std::to_string(hidden_) + " more problems are not shown",
                                 {},
                                 "Mend those that are shown and validate again."});
        return std::move(problems_);
    }

private:
    void add(Severity severity, ProblemCode code, const Place &place, std::string message, std::string detail, std::string hint)
    {
        if (problems_.size() < most_) {
            problems_.push_back({severity, place.pointer(), std::string(code_name(code)), std::move(message), std::move(detail), std::move(hint)});
            return;
        }
        hidden_++;
        hidden_errors_ = hidden_errors_ || severity == Severity::error;
    }

    std::size_t most_;
    std::size_t hidden_ = 0;
    bool hidden_errors_ = false;
    std::vector<Problem> problems_;
};

}  // namespace orch::core
