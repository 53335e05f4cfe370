// What signed deliveries look like.
#include "core/webhook.hpp"

#include <gtest/gtest.h>

namespace orch::core {
namespace {

Json object(std::initializer_list<std::pair<const char *, const char *>> members)
{
    Json json = Json::object();
    for (const auto &[name, value] : members) json[name] = value;
    return json;
}

TEST(Webhook, ReadsWhatGithubSends)
{
    const auto read =
        read_delivery(HookFormat::github, "x-hub-signature-256", object({{"x-hub-signature-256", "sha256=ABCDEF"}, {"x-github-delivery", "72d3162e"}}));
    ASSERT_TRUE(read);
    EXPECT_EQ(read->id, "72d3162e");
    EXPECT_EQ(read->signatures, std::vector<std::string>{"abcdef"});
    EXPECT_EQ(read->signed_text_prefix, "");
    EXPECT_FALSE(read_delivery(HookFormat::github, "x-hub-signature-256", object({{"x-hub-signature-256", "sha1=00"}})));
    EXPECT_FALSE(read_delivery(HookFormat::github, "x-hub-signature-256", Json(7)));
}

TEST(Webhook, ReadsWhatStandardWebhooksSends)
{
    const auto read = read_delivery(HookFormat::standard, "webhook-signature",
                                    object({{"webhook-id", "msg_1"}, {"webhook-timestamp", "1614265330"}, {"webhook-signature", "v1,AAA= v2,CCC v1,BBB="}}));
    ASSERT_TRUE(read);
    EXPECT_EQ(read->signed_text_prefix, "msg_1.1614265330.");
    EXPECT_EQ(read->timestamp, 1614265330);
    EXPECT_EQ(read->signatures, (std::vector<std::string>{"AAA=", "BBB="}));
    for (const char *stamp : {"", "-1", "1e9", "99999999999999999999", "12 "})
        EXPECT_EQ(read_delivery(HookFormat::standard, "webhook-signature",
                                object({{"webhook-id", "a"}, {"webhook-timestamp", stamp}, {"webhook-signature", "v1,AAA="}}))
                      .has_value(),
                  std::string_view(stamp) == "12 ")
            << stamp;
    EXPECT_FALSE(read_delivery(HookFormat::standard, "webhook-signature", object({{"webhook-timestamp", "1"}, {"webhook-signature", "v1,AAA="}})));
    EXPECT_FALSE(
        read_delivery(HookFormat::standard, "webhook-signature", object({{"webhook-id", "a"}, {"webhook-timestamp", "1"}, {"webhook-signature", "v2,AAA="}})));
}

TEST(Webhook, AnIdIsNoBinary)
{
    EXPECT_FALSE(read_delivery(HookFormat::hex, "x", object({{"x", "00"}, {"x-delivery-id", "a b"}})));
    EXPECT_FALSE(read_delivery(HookFormat::hex, "x", object({{"x", "00"}, {"x-delivery-id", std::string(257, 'a').c_str()}})));
    EXPECT_TRUE(read_delivery(HookFormat::hex, "x", object({{"x", "00"}})));
}

TEST(Webhook, SecretsStandForBytes)
{
    EXPECT_EQ(secret_bytes("whsec_Zm9v"), "foo");
    EXPECT_EQ(secret_bytes("Zm9v"), "Zm9v");
    EXPECT_FALSE(secret_bytes("whsec_***"));
}

TEST(Webhook, EqualityDoesNotTellWhere)
{
    EXPECT_TRUE(equal_in_constant_time("abc", "abc"));
    EXPECT_FALSE(equal_in_constant_time("abc", "abd"));
    EXPECT_FALSE(equal_in_constant_time("abc", "ab"));
    EXPECT_TRUE(equal_in_constant_time("", ""));
}

TEST(Webhook, ShowsOfAnAddressWhereItLeads)
{
    EXPECT_EQ(origin_of_url("https://hooks.example.com/T0/secret?x=1"), "https://hooks.example.com");
    EXPECT_EQ(origin_of_url("http://127.0.0.1:8080"), "http://127.0.0.1:8080");
    EXPECT_EQ(origin_of_url("http://[::1]:80/a"), "http://[::1]:80");
    for (const char *url : {"", "ftp://a/", "https://", "https:///a", "https://u:p@a/", "https://a b/", "https://a/\n", "javascript:x", "https://\xc3\xa4/"})
        EXPECT_FALSE(origin_of_url(url)) << url;
    EXPECT_FALSE(origin_of_url("https://a/" + std::string(2048, 'a')));
}

TEST(Webhook, TimesAreRfc3339)
{
    EXPECT_EQ(rfc3339(0), "1970-01-01T00:00:00.000000Z");
    EXPECT_EQ(rfc3339(1795292290'004945), "2026-11-21T20:18:10.004945Z");
    EXPECT_EQ(rfc3339(951'782'400'000'000), "2000-02-29T00:00:00.000000Z");
}

TEST(Webhook, ACloudEventHasWhatItMust)
{
    const Json event = Json::parse(cloud_event_text({"a:1", "run_failed", "default", "nightly", "a", "2026-11-21T20:18:10Z", Json{{"x", 1}}}));
    EXPECT_EQ(event["specversion"], "1.0");
    EXPECT_EQ(event["type"], "orch.run_failed");
    EXPECT_EQ(event["source"], "/workflows/nightly");
    EXPECT_EQ(event["data"]["x"], 1);
    for (const NotifiedEvent &known : notified_events()) {
        EXPECT_EQ(notified_event_from(known.name), &known);
        EXPECT_EQ(notified_event_of(known.kind), &known);
    }
    EXPECT_EQ(notified_event_from("run_slow"), nullptr);
}

}  // namespace
}  // namespace orch::core
