#include "security/digest.hpp"

#include <doctest/doctest.h>

using namespace soma::security;

TEST_CASE("digest: agrees with the published vectors") {
  CHECK(hex(bytes_of(sha256("abc"))) ==
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  // RFC 4231, test case 2.
  CHECK(hex(bytes_of(hmac_sha256("Jefe", "what do ya want for nothing?"))) ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST_CASE("digest: base64url reads back every length and nothing but its own text") {
  std::string bytes;
  for (int i = 0; i < 70; ++i) {
    CHECK(parse_base64url(base64url(bytes)) == bytes);
    bytes += static_cast<char>(i * 37 + 129);
  }
  CHECK(base64url("\xfb\xff") == "-_8");
  for (const char* bad : {"A", "AAAAA", "AB", "AAB", "AA==", "A A", "+/8", "-_9", "\xff\xff"})
    CHECK_FALSE(parse_base64url(bad).has_value());
}

TEST_CASE("digest: equal text is equal, and nothing else is") {
  CHECK(constant_time_equal("", ""));
  CHECK(constant_time_equal("ab", "ab"));
  CHECK_FALSE(constant_time_equal("ab", "ac"));
  CHECK_FALSE(constant_time_equal("ab", "abc"));
}
