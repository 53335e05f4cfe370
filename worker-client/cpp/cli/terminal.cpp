#include "terminal.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>

namespace orch::cli {
namespace {

winsize size_of_terminal()
{
    winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) size.ws_col = 80, size.ws_row = 24;
    return size;
}

std::string_view start_of(colour tint)
{
    switch (tint) {
    case colour::faint: return "\033[2m";
    case colour::green: return "\033[32m";
    case colour::red: return "\033[31m";
    case colour::yellow: return "\033[33m";
    case colour::blue: return "\033[34m";
    case colour::none: break;
    }
    return "";
}

}  // namespace

terminal::terminal()
{
    const char *kind = std::getenv("TERM"), *plain = std::getenv("NO_COLOR");
    is_there_ = ::isatty(STDOUT_FILENO) != 0 && kind && std::string_view(kind) != "dumb";
    has_colours_ = is_there_ && (!plain || !*plain);
}

size_t terminal::width() const { return size_of_terminal().ws_col; }
size_t terminal::height() const { return size_of_terminal().ws_row; }

void terminal::redraw(const std::vector<tree_line> &lines)
{
    std::string out;
    if (drawn_ > 0) out = "\033[" + std::to_string(drawn_) + "F";
    for (const auto &line : lines) {
        const bool tinted = has_colours_ && line.tint != colour::none && line.from + line.length <= line.text.size();
        if (tinted)
            out += line.text.substr(0, line.from) + std::string(start_of(line.tint)) + line.text.substr(line.from, line.length) + "\033[0m" +
                   line.text.substr(line.from + line.length);
        else out += line.text;
        out += "\033[K\n";
    }
    out += "\033[J";
    drawn_ = lines.size();
    std::cout << out << std::flush;
}

}  // namespace orch::cli
