#include "core/ip_address.hpp"

#include <doctest/doctest.h>

using namespace soma;

TEST_CASE("ip address: what is not everybody's, to the last address of each range") {
  for (const char* text : {"0.0.0.0",
                           "0.255.255.255",
                           "10.0.0.0",
                           "10.255.255.255",
                           "100.64.0.0",
                           "100.127.255.255",
                           "127.0.0.1",
                           "127.255.255.255",
                           "169.254.0.0",
                           "169.254.169.254",
                           "169.254.255.255",
                           "172.16.0.0",
                           "172.31.255.255",
                           "192.0.0.1",
                           "192.0.2.255",
                           "192.88.99.1",
                           "192.168.0.0",
                           "192.168.255.255",
                           "198.18.0.0",
                           "198.19.255.255",
                           "198.51.100.7",
                           "203.0.113.7",
                           "224.0.0.1",
                           "239.255.255.255",
                           "240.0.0.0",
                           "255.255.255.255",
                           "::",
                           "::1",
                           "::ffff:10.0.0.1",
                           "::ffff:7f00:1",
                           "64:ff9b::10.0.0.1",
                           "64:ff9b::a9fe:a9fe",
                           "64:ff9b:1::1",
                           "2001::1",
                           "2001:db8::1",
                           "2002:7f00:1::",
                           "2002:c0a8:101::",
                           "fc00::1",
                           "fdff::1",
                           "fe80::1",
                           "febf::1",
                           "fec0::1",
                           "ff02::1",
                           "::127.0.0.1",
                           "100::1",
                           "4000::1"}) {
    CAPTURE(text);
    const auto address = parse_ip(text);
    REQUIRE(address);
    CHECK(!is_public(*address));
  }
}

TEST_CASE("ip address: the neighbours of those ranges are everybody's") {
  for (const char* text :
       {"1.0.0.0",         "9.255.255.255",        "11.0.0.0",         "100.63.255.255",
        "100.128.0.0",     "126.255.255.255",      "128.0.0.0",        "169.253.255.255",
        "169.255.0.0",     "172.15.255.255",       "172.32.0.0",       "192.167.255.255",
        "192.169.0.0",     "198.17.255.255",       "198.20.0.0",       "223.255.255.255",
        "8.8.8.8",         "::ffff:8.8.8.8",       "64:ff9b::8.8.8.8", "2002:808:808::1",
        "2606:4700::1111", "2001:4860:4860::8888", "3fff:ffff::1"}) {
    CAPTURE(text);
    const auto address = parse_ip(text);
    REQUIRE(address);
    CHECK(is_public(*address));
  }
}

TEST_CASE("ip address: other spellings are no addresses") {
  for (const char* text :
       {"", "localhost", "2130706433", "0x7f.1", "127.1", "1.2.3.4.5", "1.2.3.256", " 1.2.3.4",
        "1.2.3.4 ", "[::1]", "fe80::1%eth0", ":::", "01.2.3.4"}) {
    CAPTURE(text);
    CHECK(!parse_ip(text));
  }
}

TEST_CASE("ip address: an IPv4 address is the same as written inside IPv6") {
  CHECK(parse_ip("1.2.3.4") == parse_ip("::ffff:1.2.3.4"));
  CHECK(parse_ip("1.2.3.4") == from_v4(0x01020304));
}
