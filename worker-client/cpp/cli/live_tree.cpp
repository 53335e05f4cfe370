#include "live_tree.hpp"

#include "table.hpp"

#include <algorithm>
#include <cmath>
#include <map>

namespace orch::cli {
namespace {

constexpr int bar_columns = 10;

bool is_busy(std::string_view state)
{
    return state == "running" || state == "ready" || state == "scheduled" || state == "waiting" || state == "failed" || state == "timed_out";
}

std::string described(const tree_task &task, const std::string &below)
{
    std::string text = visible(task.id);
    const auto add = [&](const std::string &more) {
        if (!more.empty()) text += "  " + more;
    };
    const bool finished = task.state != "pending" && task.state != "running" && task.state != "ready";
    if (task.state != "succeeded" && task.state != "pending") add(task.state);
    if (task.attempt > 1) add("attempt " + std::to_string(task.attempt) + "/" + std::to_string(task.max_attempts));
    if (task.state == "running") add(progress_bar(task.progress));
    if (task.seconds > 0 && (finished || task.state == "running")) add(span_text(task.seconds));
    if (task.state == "running" && !task.worker.empty()) add("on " + visible(task.worker));
    if (task.state == "failed" || task.state == "timed_out" || task.state == "scheduled") add(visible(task.error));
    std::string others;
    for (const auto &dependency : task.dependencies)
        if (dependency != below) others += (others.empty() ? "also after " : ", ") + visible(dependency);
    if (task.state == "pending") add(others);
    return text;
}

class drawing {
public:
    explicit drawing(const std::vector<tree_task> &tasks) : tasks_(tasks), children_(tasks.size()), below_(tasks.size())
    {
        std::map<std::string_view, size_t> by_id;
        for (size_t i = 0; i < tasks.size(); ++i) by_id.emplace(tasks[i].id, i);
        for (size_t i = 0; i < tasks.size(); ++i) {
            const tree_task *deepest = nullptr;
            for (const auto &id : tasks[i].dependencies)
                if (const auto found = by_id.find(id); found != by_id.end() && (!deepest || tasks[found->second].level >= deepest->level))
                    deepest = &tasks[found->second];
            if (!deepest) {
                roots_.push_back(i);
                continue;
            }
            below_[i] = deepest->id;
            children_[by_id.at(deepest->id)].push_back(i);
        }
    }

    std::vector<tree_line> draw()
    {
        for (const size_t root : roots_) draw_from(root, "", "");
        return std::move(lines_);
    }

private:
    void draw_from(size_t task, const std::string &first, const std::string &rest)
    {
        for (const std::string *prefix = &first;; prefix = &rest) {
            add(task, *prefix);
            const auto &children = children_[task];
            if (children.size() != 1) break;
            task = children[0];
        }
        const auto &children = children_[task];
        for (size_t i = 0; i < children.size(); ++i) {
            const bool last = i + 1 == children.size();
            draw_from(children[i], rest + (last ? "└─ " : "├─ "), rest + (last ? "   " : "│  "));
        }
    }

    void add(size_t i, const std::string &prefix)
    {
        const auto &task = tasks_[i];
        const std::string symbol(symbol_of(task.state));
        lines_.push_back({prefix + symbol + " " + described(task, below_[i]), prefix.size(), symbol.size(), colour_of(task.state), is_busy(task.state)});
    }

    const std::vector<tree_task> &tasks_;
    std::vector<std::vector<size_t>> children_;
    std::vector<std::string> below_;  // under whom it stands
    std::vector<size_t> roots_;
    std::vector<tree_line> lines_;
};

}  // namespace

std::string_view symbol_of(std::string_view state)
{
    if (state == "succeeded") return "✓";
    if (state == "failed" || state == "timed_out" || state == "upstream_failed") return "✗";
    if (state == "running" || state == "cancelling") return "▶";
    if (state == "ready") return "○";
    if (state == "scheduled") return "↻";
    if (state == "waiting" || state == "queued" || state == "paused") return "◷";
    if (state == "skipped") return "−";
    if (state == "cancelled") return "⊘";
    return "·";
}

colour colour_of(std::string_view state)
{
    if (state == "succeeded") return colour::green;
    if (state == "failed" || state == "timed_out" || state == "upstream_failed") return colour::red;
    if (state == "running") return colour::blue;
    if (state == "ready" || state == "scheduled" || state == "waiting" || state == "cancelling" || state == "paused") return colour::yellow;
    return colour::faint;
}

std::string span_text(double seconds)
{
    char text[64];
    const auto whole = static_cast<long>(seconds);
    if (seconds < 10) snprintf(text, sizeof text, "%.1f s", seconds);
    else if (whole < 120) snprintf(text, sizeof text, "%ld s", whole);
    else if (whole < 7200) snprintf(text, sizeof text, "%ld min %ld s", whole / 60, whole % 60);
    else snprintf(text, sizeof text, "%ld h %ld min", whole / 3600, whole / 60 % 60);
    return text;
}

std::string progress_bar(const nlohmann::json &progress)
{
    if (progress.is_null()) return "";
    const auto number = [&](const char *key) {
        return progress.is_object() && progress.contains(key) && progress[key].is_number() ? progress[key].get<double>() : std::nan("");
    };
    double share = number("percent") / 100;
    if (std::isnan(share)) share = number("done") / number("total");
    if (!std::isfinite(share)) return shortened(visible(progress.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)), 40);
    share = std::clamp(share, 0.0, 1.0);
    const int full = static_cast<int>(share * bar_columns);
    std::string bar;
    for (int i = 0; i < bar_columns; ++i) bar += i < full ? "█" : "░";
    return bar + " " + std::to_string(static_cast<int>(share * 100)) + " %";
}

std::vector<tree_line> draw_tree(const std::vector<tree_task> &tasks) { return drawing(tasks).draw(); }

std::vector<tree_line> fitted(std::vector<tree_line> lines, size_t width, size_t height)
{
    if (lines.size() > height && height > 0) {
        const size_t places = height - 1, all = lines.size();
        size_t busy = 0;
        for (const auto &line : lines) busy += line.is_busy;
        size_t others = places > busy ? places - busy : 0, kept = 0;
        std::erase_if(lines, [&](const tree_line &line) {
            const bool keeps = kept < places && (line.is_busy || others > 0);
            if (keeps && !line.is_busy) --others;
            kept += keeps;
            return !keeps;
        });
        const auto more = "… and " + std::to_string(all - lines.size()) + " more";
        lines.push_back({more, 0, more.size(), colour::faint, false});
    }
    for (auto &line : lines) line.text = shortened(std::move(line.text), width);
    return lines;
}

}  // namespace orch::cli
