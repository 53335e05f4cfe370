#include "session.hpp"

#include <algorithm>
#include <iostream>
#include <memory>
#include <sstream>

// The pages of `orch help`, the manual page and the completions are all read off the options themselves, so none of them can forget one.

namespace orch::cli {
namespace {

std::vector<const CLI::App *> commands_of(const CLI::App &app)
{
    auto all = app.get_subcommands([](const CLI::App *command) { return !command->get_name().empty(); });
    std::ranges::sort(all, {}, [](const CLI::App *command) { return command->get_name(); });
    return {all.begin(), all.end()};
}

const CLI::App *find_command(const CLI::App &app, const std::string &name)
{
    const auto all = commands_of(app);
    const auto found = std::ranges::find(all, name, [](const CLI::App *command) { return command->get_name(); });
    return found == all.end() ? nullptr : *found;
}

std::vector<const CLI::Option *> options_of(const CLI::App &app, bool positional)
{
    std::vector<const CLI::Option *> found;
    for (const auto *option : app.get_options())
        if (option->get_positional() == positional || (!positional && option->nonpositional())) found.push_back(option);
    return found;
}

std::string long_name(const CLI::Option &option) { return option.get_lnames().empty() ? "" : "--" + option.get_lnames().front(); }

bool takes_value(const CLI::Option &option) { return option.get_type_size_max() > 0; }

/// `--queue TEXT`, `-h, --help`, `run`.
std::string label_of(const CLI::Option &option)
{
    if (option.get_positional()) return option.get_name(true);
    std::string label;
    for (const auto &name : option.get_snames()) label += (label.empty() ? "-" : ", -") + name;
    for (const auto &name : option.get_lnames()) label += (label.empty() ? "--" : ", --") + name;
    return takes_value(option) ? label + " " + option.get_type_name() : label;
}

std::string synopsis(const std::string &path, const CLI::App &command)
{
    std::string line = path;
    const auto nested = commands_of(command);
    if (!nested.empty()) {
        line += " [";
        for (const auto *one : nested) line += (line.ends_with('[') ? "" : "|") + one->get_name();
        line += "]";
    }
    line += " [OPTIONS]";
    for (const auto *option : options_of(command, true)) {
        const bool many = option->get_items_expected_max() > 1;
        line += (option->get_required() ? " " : " [") + option->get_name(true) + (many ? "..." : "") + (option->get_required() ? "" : "]");
    }
    return line;
}

std::string wrapped(const std::string &text, size_t indent, size_t width = 90)
{
    std::istringstream words(text);
    std::string out, line(indent, ' ');
    for (std::string word; words >> word;) {
        if (line.size() > indent && line.size() + 1 + word.size() > width) {
            out += line + "\n";
            line.assign(indent, ' ');
        }
        line += (line.size() > indent ? " " : "") + word;
    }
    return out + line + "\n";
}

void add_options(std::string &page, const CLI::App &command)
{
    for (const bool positional : {true, false})
        for (const auto *option : options_of(command, positional)) {
            page += "       " + label_of(*option) + "\n" + wrapped(option->get_description(), 11);
            if (!option->get_envname().empty()) page += wrapped("Environment: " + option->get_envname() + ".", 11);
        }
}

const std::string exit_codes = "0 done, 1 refused, 2 usage, 3 the run did not succeed, 4 the database cannot be reached.";

std::string page_of(const std::string &path, const CLI::App &command, const CLI::App &root)
{
    std::string page = "NAME\n       " + path + " - " + command.get_description() + "\n\nSYNOPSIS\n       " + synopsis(path, command) + "\n\nOPTIONS\n";
    add_options(page, command);
    for (const auto *one : commands_of(command)) {
        page += "\n   " + path + " " + one->get_name() + "\n" + wrapped(one->get_description(), 7);
        add_options(page, *one);
    }
    if (!command.get_footer().empty() && &command != &root) page += "\nNOTES\n" + wrapped(command.get_footer(), 7);
    if (&command != &root) {
        page += "\nOPTIONS OF EVERY COMMAND\n";
        add_options(page, root);
    }
    return page + "\nEXIT STATUS\n" + wrapped(exit_codes, 7);
}

std::string roff_escaped(const std::string &text)
{
    std::string out;
    for (const char c : text) {
        if (c == '\\') out += "\\e";
        else if (c == '-') out += "\\-";
        else if (c == '\'' && (out.empty() || out.back() == '\n')) out += "\\(aq";
        else if (c == '.' && (out.empty() || out.back() == '\n')) out += "\\&.";
        else out += c;
    }
    return out;
}

void roff_options(std::string &page, const CLI::App &command)
{
    for (const bool positional : {true, false})
        for (const auto *option : options_of(command, positional))
            page += ".TP\n.B " + roff_escaped(label_of(*option)) + "\n" + roff_escaped(option->get_description()) + "\n";
}

std::string manual(const CLI::App &root)
{
    std::string page = ".TH ORCH 1 \"\" \"orch " ORCH_VERSION "\" \"User Commands\"\n.SH NAME\norch \\- " + roff_escaped(root.get_description()) +
                       "\n.SH SYNOPSIS\n.B orch\n[OPTIONS] COMMAND [OPTIONS OF THE COMMAND]\n.SH OPTIONS\n";
    roff_options(page, root);
    page += ".SH COMMANDS\n";
    const auto add = [&](const std::string &path, const CLI::App &command) {
        page += ".SS " + roff_escaped(synopsis(path, command)) + "\n" + roff_escaped(command.get_description()) + ".\n";
        roff_options(page, command);
        if (!command.get_footer().empty()) page += ".PP\n" + roff_escaped(command.get_footer()) + "\n";
    };
    for (const auto *command : commands_of(root)) {
        add("orch " + command->get_name(), *command);
        for (const auto *nested : commands_of(*command)) add("orch " + command->get_name() + " " + nested->get_name(), *nested);
    }
    return page + ".SH EXIT STATUS\n" + roff_escaped(exit_codes) + "\n";
}

/// Words that may stand behind each command: its options and what is nested in it.
std::string words_behind(const CLI::App &command, const CLI::App &root)
{
    std::string words;
    for (const auto *nested : commands_of(command)) words += nested->get_name() + " ";
    for (const auto *app : {&command, &root}) {
        for (const auto *option : options_of(*app, false))
            if (const auto name = long_name(*option); !name.empty()) words += name + " ";
        if (&command == &root) break;
    }
    if (!words.empty()) words.pop_back();
    return words;
}

std::string quoted_once(const std::string &text)
{
    std::string out = "'";
    for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return out + "'";
}

std::string bash_completion(const CLI::App &root)
{
    std::string text = "# orch completion bash: source it, or put it into ~/.local/share/bash-completion/completions/orch\n_orch()\n{\n"
                       "    local current=${COMP_WORDS[COMP_CWORD]} words command='' i\n"
                       "    for ((i = 1; i < COMP_CWORD; i++)); do\n        case ${COMP_WORDS[i]} in\n            --database) ((i++)) ;;\n            -*) ;;\n"
                       "            *) command=${COMP_WORDS[i]}; break ;;\n        esac\n    done\n    case $command in\n";
    for (const auto *command : commands_of(root)) text += "        " + command->get_name() + ") words='" + words_behind(*command, root) + "' ;;\n";
    std::string all;
    for (const auto *command : commands_of(root)) all += command->get_name() + " ";
    return text + "        *) words='" + all + words_behind(root, root).substr(all.size()) +
           "' ;;\n    esac\n    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n}\ncomplete -o default -F _orch orch\n";
}

std::string zsh_completion(const CLI::App &root)
{
    std::string text = "#compdef orch\n# orch completion zsh: put it as _orch into a folder of $fpath\n_orch()\n{\n    local -a commands\n    commands=(\n";
    const auto described = [](const std::string &name, std::string about) {
        for (size_t at = 0; (at = about.find(':', at)) != about.npos; at += 2) about.insert(at, "\\");
        return quoted_once(name + ":" + about);
    };
    for (const auto *command : commands_of(root)) text += "        " + described(command->get_name(), command->get_description()) + "\n";
    text += "    )\n    local i command=''\n    for ((i = 2; i < CURRENT; i++)); do\n        case ${words[i]} in\n            --database) ((i++)) ;;\n         "
            "   -*) ;;\n"
            "            *) command=${words[i]}; break ;;\n        esac\n    done\n    case $command in\n";
    for (const auto *command : commands_of(root)) {
        text += "        " + command->get_name() + ")\n            local -a behind\n            behind=(";
        for (const auto *nested : commands_of(*command)) text += " " + described(nested->get_name(), nested->get_description());
        for (const auto *app : {command, &root})
            for (const auto *option : options_of(*app, false))
                if (const auto name = long_name(*option); !name.empty()) text += " " + described(name, option->get_description());
        text += " )\n            _describe -o option behind; _files ;;\n";
    }
    return text + "        *) _describe command commands ;;\n    esac\n}\n_orch \"$@\"\n";
}

std::string fish_completion(const CLI::App &root)
{
    std::string text = "# orch completion fish: put it into ~/.config/fish/completions/orch.fish\n";
    const auto option_lines = [&](const CLI::App &app, const std::string &where) {
        for (const auto *option : options_of(app, false))
            if (!option->get_lnames().empty())
                text += "complete -c orch" + where + " -l " + option->get_lnames().front() + (takes_value(*option) ? " -r" : "") + " -d " +
                        quoted_once(option->get_description()) + "\n";
    };
    option_lines(root, "");
    for (const auto *command : commands_of(root)) {
        text += "complete -c orch -f -n __fish_use_subcommand -a " + command->get_name() + " -d " + quoted_once(command->get_description()) + "\n";
        const auto where = " -n '__fish_seen_subcommand_from " + command->get_name() + "'";
        option_lines(*command, where);
        for (const auto *nested : commands_of(*command))
            text += "complete -c orch" + where + " -a " + nested->get_name() + " -d " + quoted_once(nested->get_description()) + "\n";
    }
    return text;
}

}  // namespace

void add_help(CLI::App &app, action &chosen)
{
    struct help_choices {
        std::string command, shell;
        bool man = false;
    };
    auto options = std::make_shared<help_choices>();
    auto *help = app.add_subcommand("help", "Show all of a command: what it takes and how it ends");
    help->add_option("command", options->command, "the command; without one, the list of all");
    help->add_flag("--man", options->man, "the manual page of all commands, for man(1)");
    help->callback([&chosen, &app, options] {
        chosen = [&app, options](session &with) -> int {
            if (options->man) with.write(manual(app));
            else if (options->command.empty()) with.write(app.help());
            else if (const auto *command = find_command(app, options->command)) with.write(page_of("orch " + options->command, *command, app));
            else {
                std::cerr << "orch: there is no command of that name; orch help lists them\n";
                return usage;
            }
            return done;
        };
    });
    auto *completion = app.add_subcommand("completion", "Print what a shell needs to complete orch's commands and options");
    completion->add_option("shell", options->shell, "bash, zsh or fish")->required()->check(CLI::IsMember({"bash", "zsh", "fish"}));
    completion->callback([&chosen, &app, options] {
        chosen = [&app, options](session &with) -> int {
            with.write(options->shell == "bash" ? bash_completion(app) : options->shell == "zsh" ? zsh_completion(app) : fish_completion(app));
            return done;
        };
    });
}

}  // namespace orch::cli
