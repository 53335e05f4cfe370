#include "secrets.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace {

using namespace orch;

secret_filler with_key()
{
    return secret_filler([](const std::string &name) { return name == "KEY" ? std::optional<std::string>("s3cret") : std::nullopt; });
}

TEST(secrets, are_filled_in_and_nothing_else_is)
{
    auto secrets = with_key();
    EXPECT_EQ(secrets.fill("Bearer {{ secrets.KEY }}!"), "Bearer s3cret!");
    EXPECT_EQ(secrets.fill("{{secrets.KEY}}{{secrets.KEY}}"), "s3crets3cret");
    EXPECT_EQ(secrets.fill("{{ other }} {{"), "{{ other }} {{");
    EXPECT_EQ(secrets.fill("{{ '{' }}{ secrets.KEY }}"), "{{ secrets.KEY }}") << "braces that a value brought";
    EXPECT_THROW((void)secrets.fill("{{ secrets.NONE }}"), task_error);
    EXPECT_EQ(secrets.fill_all(json::parse(R"({"a":["{{ secrets.KEY }}",1,null],"{{ '{' }}{ secrets.KEY }}":{}})")).dump(),
              R"({"a":["s3cret",1,null],"{{ secrets.KEY }}":{}})");
    EXPECT_EQ(secrets.redact("it was s3cret and s3cret"), "it was *** and ***");
}

TEST(secrets, come_from_the_environment_then_from_a_file)
{
    char folder[] = "/tmp/orch-secrets-XXXXXX";
    ASSERT_NE(mkdtemp(folder), nullptr);
    std::ofstream(std::string(folder) + "/FROM_FILE") << "of a file\n";
    std::ofstream(std::string(folder) + "/BOTH") << "of a file";
    setenv("ORCH_SECRET_BOTH", "of the environment", 1);
    EXPECT_EQ(find_secret(folder, "FROM_FILE"), "of a file");
    EXPECT_EQ(find_secret(folder, "BOTH"), "of the environment");
    EXPECT_EQ(find_secret(folder, "../" + std::string(folder).substr(5) + "/FROM_FILE"), std::nullopt);
    EXPECT_EQ(find_secret(folder, ""), std::nullopt);
    EXPECT_EQ(find_secret("", "FROM_FILE"), std::nullopt);
    std::filesystem::remove_all(folder);
}

}  // namespace
