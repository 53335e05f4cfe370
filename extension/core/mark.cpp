#include "core/mark.hpp"

#include "core/last_include.hpp"

namespace orch::core {

namespace {

constexpr std::string_view copied_word = "copied ", standby_word = "standby ";

}  // namespace

Mark mark_at_start(Mark before, const StartSigns &signs, const Uuid &fresh)
{
    if (signs.standby_signal) {
        // Like PostgreSQL, which follows this one where it finds both. What the primary left in the backup stays: it is adopted, or not, in rows that are replicated.
        before.standby = signs.hold_on_promotion ? std::optional(fresh) : std::nullopt;
        return before;
    }
    // A new id each time: what the backup brought along may have been adopted where it comes from.
    if (signs.recovery_signal || signs.backup_label) return {fresh, std::nullopt};
    return mark_after_recovery(before);
}

Mark mark_after_recovery(Mark before)
{
    if (!before.standby) return before;
    return {before.standby, std::nullopt};
}

std::string mark_to_text(const Mark &mark)
{
    std::string text;
    if (mark.copied) text += std::string(copied_word) + uuid_to_text(*mark.copied) + '\n';
    if (mark.standby) text += std::string(standby_word) + uuid_to_text(*mark.standby) + '\n';
    return text;
}

std::optional<Mark> mark_from_text(std::string_view text)
{
    Mark mark;
    while (!text.empty()) {
        const size_t end = text.find('\n');
        if (end == std::string_view::npos) return std::nullopt;
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(end + 1);
        const bool is_standby = line.starts_with(standby_word);
        if (!is_standby && !line.starts_with(copied_word)) return std::nullopt;
        const auto id = uuid_from_text(line.substr((is_standby ? standby_word : copied_word).size()));
        if (!id) return std::nullopt;
        (is_standby ? mark.standby : mark.copied) = id;
    }
    return mark;
}

}  // namespace orch::core
