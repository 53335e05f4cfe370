// Bytes as text, both ways.
#include "core/encoding.hpp"

#include <gtest/gtest.h>

namespace orch::core {
namespace {

TEST(Encoding, Base64GoesBothWays)
{
    for (const auto alphabet : {Base64::standard, Base64::url})
        for (const std::string_view text : {"", "f", "fo", "foo", "foob", "fooba", "foobar", "\xff\xfe\xfd\x01"})
            EXPECT_EQ(from_base64(base64(as_bytes(text), alphabet), alphabet), text);
    EXPECT_EQ(base64(as_bytes("fooba")), "Zm9vYmE=");
    EXPECT_EQ(base64(as_bytes("foob")), "Zm9vYg==");
    EXPECT_EQ(base64(as_bytes("\xff\xfe\xfd")), "//79");
    EXPECT_EQ(base64(as_bytes("\xff\xfe\xfd"), Base64::url), "__79");
    EXPECT_EQ(base64(as_bytes("f"), Base64::url), "Zg");
}

TEST(Encoding, WhatIsNoBase64IsRefused)
{
    EXPECT_FALSE(from_base64("Zm9v!"));
    EXPECT_FALSE(from_base64("Z"));
    EXPECT_FALSE(from_base64("__79"));
    EXPECT_FALSE(from_base64("a+b/", Base64::url));
    EXPECT_FALSE(from_base64("Zg==", Base64::url));
}

TEST(Encoding, HexadecimalDigits)
{
    EXPECT_EQ(hex(as_bytes("\x0f\xa0")), "0fa0");
    EXPECT_EQ(hex_digit('a'), 10);
    EXPECT_EQ(hex_digit('F'), 15);
    EXPECT_EQ(hex_digit('g'), -1);
    EXPECT_EQ(hex_digit('/'), -1);
}

}  // namespace
}  // namespace orch::core
