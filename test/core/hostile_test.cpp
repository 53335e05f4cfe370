// Definitions that are wrong on purpose, from outside: the verdict of each file, and that the answer stays small.

#include "support.hpp"

using namespace orch::core;

namespace {

std::vector<Problem> verdict(const std::string &text)
{
    auto parsed = parse(text);
    if (auto *problem = std::get_if<Problem>(&parsed)) return {*problem};
    return validate(std::get<Json>(parsed));
}

}  // namespace

TEST(hostile, every_bad_definition_gets_its_verdict_and_every_good_one_passes)
{
    const auto folder = test_data();
    if (!folder) GTEST_SKIP() << "ORCH_TEST_DATA is not set";
    int files = 0;
    for (const auto &row : table(*folder + "/invalid-dags/INDEX.tsv")) {
        if (row[0] == "file") continue;
        files++;
        std::vector<Problem> problems;
        const double seconds = processor_seconds([&] { problems = verdict(file_text(*folder + "/invalid-dags/" + row[0])); });
        EXPECT_LT(seconds, 1.0) << row[0];
        if (row[1] != "either") { EXPECT_EQ(has_errors(problems), row[1] == "reject") << row[0] << "\n" << listed(problems); }
        std::string all;
        for (const Problem &problem : problems) all += problem.path + problem.message + problem.detail + problem.hint;
        EXPECT_LT(all.size(), 4000u) << row[0];
        for (char c : all) EXPECT_GE(static_cast<unsigned char>(c), 0x20) << row[0];
    }
    EXPECT_GE(files, 25);
}

TEST(hostile, a_million_letters_anywhere_stay_out_of_the_answer)
{
    const std::string big(1'000'000, 'x');
    for (const std::string &text :
         {"{\"id\":\"" + big + "\",\"tasks\":{}}", "{\"" + big + "\":1}", "{\"id\":\"w\",\"tasks\":{\"a\":{\"" + big + "\":1}}}",
          "{\"id\":\"w\",\"tasks\":{\"a\":{\"noop\":true,\"dependencies\":[\"" + big + "\"]}}}",
          "{\"id\":\"w\",\"tasks\":{\"a\":{\"noop\":true,\"input\":\"{{ " + big + " }}\"}}}",
          "{\"id\":\"w\",\"tasks\":{\"a\":{\"noop\":true,\"input\":\"{{ tasks." + big + ".output }}\",\"retry_backoff\":\"" + big + "\"}}}"}) {
        const auto problems = verdict(text);
        ASSERT_TRUE(has_errors(problems));
        std::string all;
        for (const Problem &problem : problems) all += problem.path + problem.message + problem.detail + problem.hint;
        EXPECT_LT(all.size(), 4000u);
    }
}

TEST(hostile, commands_of_a_million_letters_are_fine)
{
    EXPECT_TRUE(verdict("{\"id\":\"w\",\"tasks\":{\"a\":{\"command\":\"" + std::string(1'000'000, 'x') + "\"}}}").empty());
}

TEST(hostile, a_cut_or_damaged_text_never_crashes)
{
    const std::string good =
        R"({"id":"w","tasks":{"a":{"command":["sh","-c","x"],"env":{"A":"{{ input.a ?? 'b' }}"},"retries":3},"b":{"noop":true,"dependencies":["a"],"when":"$.tasks.a.output.n > 0"}}})";
    ASSERT_TRUE(verdict(good).empty());
    for (std::size_t i = 0; i < good.size(); i++) {
        verdict(good.substr(0, i));
        for (const char *piece : {"\"", "{", "}", "[", "]", "{{", "}}", "\\", "0", ",", ":", "null", "\x80", "$"}) {
            verdict(good.substr(0, i) + piece + good.substr(i));
            std::string replaced = good;
            replaced.replace(i, 1, piece);
            verdict(replaced);
        }
    }
}
