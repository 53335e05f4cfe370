#include "orch/error.hpp"
#include "orch/payloads.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <unistd.h>

namespace {

using namespace orch;

struct store_folder {
    std::string path = (std::filesystem::temp_directory_path() / ("orch-payloads-" + std::to_string(::getpid()))).string();
    ~store_folder() { std::filesystem::remove_all(path); }
};

std::string code_of(const std::function<void()> &call)
{
    try {
        call();
    } catch (const task_error &failed) {
        return failed.code;
    }
    return "";
}

TEST(payloads, large_values_go_to_the_store_and_come_back_when_they_are_asked_for)
{
    const store_folder dir;
    const payloads kept(std::make_shared<directory_store>(dir.path), {}, 100);
    EXPECT_EQ(kept.encode("small", "runs/1"), "small");
    const json large = std::string(1000, 'x');
    const auto reference = kept.encode(large, "runs/1");
    ASSERT_TRUE(reference.contains("$orch_ref")) << reference;
    EXPECT_EQ(reference["$orch_ref"]["size"], 1002);
    EXPECT_EQ(reference["$orch_ref"]["sha256"], "fa0831df6ae1d266cfba38a70a6774843977f9f70bd53b12ac2d5d70eb1c5404");
    EXPECT_EQ(kept.decode({{"deep", {reference}}}), (json{{"deep", {reference}}})) << "not before it is asked for";
    EXPECT_EQ(kept.load(reference), large);
    EXPECT_EQ(kept.load(7), 7);
}

TEST(payloads, what_was_changed_or_lies_elsewhere_is_refused)
{
    const store_folder dir;
    const payloads kept(std::make_shared<directory_store>(dir.path), {}, 10);
    auto reference = kept.encode(std::string(100, 'x'), "runs/1");
    const std::string uri = reference["$orch_ref"]["uri"];
    std::ofstream(uri.substr(7)) << '"' << std::string(100, 'y') << '"';
    EXPECT_EQ(code_of([&] { (void)kept.load(reference); }), "payload_damaged");
    reference["$orch_ref"]["uri"] = "file:///etc/passwd";
    EXPECT_EQ(code_of([&] { (void)kept.load(reference); }), "foreign_payload");
    reference["$orch_ref"]["uri"] = "file://" + dir.path + "/../../etc/passwd";
    EXPECT_EQ(code_of([&] { (void)kept.load(reference); }), "foreign_payload");
    const payloads elsewhere(std::make_shared<s3_store>(s3_options{.endpoint = "http://localhost", .bucket = "b", .prefix = "own/"}));
    for (const char *foreign : {"s3://other/own/x", "s3://b/elsewhere/x", "s3://b/own/../x"}) {
        reference["$orch_ref"]["uri"] = foreign;
        EXPECT_EQ(code_of([&] { (void)elsewhere.load(reference); }), "foreign_payload");
    }
}

TEST(payloads, a_codec_hides_values_and_words_of_errors)
{
    const store_folder dir;
    const auto turned = [](const json &value) -> json {
        auto text = value.is_string() ? value.get<std::string>() : value.dump();
        std::ranges::reverse(text);
        return text;
    };
    const payload_codec codec{.encode = turned, .decode = [turned](const json &value) { return json::parse(turned(value).get<std::string>()); }};
    const payloads kept(std::make_shared<directory_store>(dir.path), codec, 60);
    const auto hidden = kept.encode({{"name", "ada"}}, "runs/1");
    EXPECT_EQ(hidden.dump().find("ada\""), std::string::npos) << hidden;
    EXPECT_EQ(kept.decode({{"deep", {hidden, 1}}}), (json{{"deep", {{{"name", "ada"}}, 1}}}));
    const json large{{"text", std::string(100, 'a')}};
    const auto reference = kept.encode(large, "runs/1");
    ASSERT_TRUE(reference.contains("$orch_ref"));
    EXPECT_EQ(kept.load(kept.decode(reference)), large);
    const json error{{"class", "validation"}, {"code", "bad"}, {"message", "ada is bad"}};
    const auto safe = kept.encode_error(error);
    EXPECT_EQ(safe["message"], "encoded");
    EXPECT_EQ(safe["code"], "bad");
    EXPECT_EQ(kept.decode_error(safe)["message"], "ada is bad");
}

}  // namespace
