#include "leased_task.hpp"
#include "orch/plugins.hpp"

#include <gtest/gtest.h>

#include <unistd.h>

#include <fstream>

namespace {

using namespace orch;

std::string beside_us(const std::string &name)
{
    char path[4096];
    const auto length = ::readlink("/proc/self/exe", path, sizeof path);
    const std::string self(path, static_cast<size_t>(length));
    return self.substr(0, self.rfind('/') + 1) + name;
}

std::string refusal_of_plugin(const std::string &path)
{
    try {
        (void)load_plugin(path);
        return "";
    } catch (const std::runtime_error &refused) {
        return refused.what();
    }
}

/// The file of a library that this process has open.
std::string linked(const std::string &name)
{
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);)
        if (line.find(name) != line.npos) return line.substr(line.find('/'));
    return "";
}

TEST(plugin, its_handlers_run_tasks)
{
    const auto handlers = load_plugin(beside_us("orch_example_plugin.so"));
    ASSERT_EQ(handlers.size(), 1u);
    EXPECT_EQ(handlers[0].name, "wordcount");
    leased_task work;
    EXPECT_EQ(handlers[0].function(work, "three words here"), (json{{"words", 3}}));
    EXPECT_NE(work.take_lines().find("3 words in attempt 1"), std::string::npos);
    EXPECT_EQ(work.take_progress(std::chrono::steady_clock::now()), R"({"done":1})");
    EXPECT_THROW((void)handlers[0].function(work, ""), skip_task);
    EXPECT_THROW((void)handlers[0].function(work, 7), task_error);
}

TEST(plugin, one_of_another_version_is_refused_and_so_is_what_is_none)
{
    EXPECT_NE(refusal_of_plugin(beside_us("orch_foreign_plugin.so")).find("built for version 999 of the plugin interface, and this worker speaks version 1"),
              std::string::npos);
    EXPECT_NE(refusal_of_plugin("/nowhere.so").find("cannot open plugin \"/nowhere.so\""), std::string::npos);
    EXPECT_NE(refusal_of_plugin("libm.so.6").find("cannot open"), std::string::npos) << "not from the library path";
    EXPECT_NE(refusal_of_plugin(linked("libm.so")).find("orch_plugin_entry"), std::string::npos);
}

}  // namespace
