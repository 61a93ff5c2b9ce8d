#include "tools/egress/url_guard.hpp"

#include <doctest/doctest.h>

#include <string>

#include "support/result_text.hpp"

using namespace soma;
using namespace soma::tools;

namespace {

ip_address address(const char* text) {
  return *parse_ip(text);
}

// Names as a hostile name server would give them.
url_rules rules() {
  url_rules out;
  out.resolve = [](const std::string& host) -> result<std::vector<ip_address>> {
    if (host == "example.org") return std::vector{address("93.184.216.34")};
    if (host == "six.example.org") return std::vector{address("2606:2800:220:1::1")};
    if (host == "private.example.org") return std::vector{address("10.0.0.1")};
    if (host == "mixed.example.org")
      return std::vector{address("93.184.216.34"), address("127.0.0.1")};
    if (host == "127.0.0.1.nip.io") return std::vector{address("127.0.0.1")};
    if (host == "nothing.example.org") return std::vector<ip_address>{};
    return error{"tool.failed", "the host " + host + " is not known"};
  };
  return out;
}

std::string judged(const std::string& url) {
  const auto out = judge_url(url, nullptr, rules());
  return out ? "yes " + out->text : std::string(out.error().code);
}

}  // namespace

TEST_CASE("http_fetch: addresses of the web are allowed, as they are usually written") {
  CHECK(judged("http://example.org") == "yes http://example.org/");
  CHECK(judged("https://EXAMPLE.org:443/a/../b?q=http://x@y#f").starts_with("yes https://"));
  CHECK(judged("http://example.org./x") == "yes http://example.org/x");
  CHECK(judged("http://example.org:80/") == "yes http://example.org:80/");
  CHECK(judged("http://93.184.216.34/") == "yes http://93.184.216.34/");
  CHECK(judged("https://six.example.org/") == "yes https://six.example.org/");
  CHECK(judged("http://[2606:2800:220:1::1]/") == "yes http://[2606:2800:220:1::1]/");
}

TEST_CASE("http_fetch: every other spelling of every inner address is refused") {
  const char* urls[] = {
      // The machine itself.
      "http://127.0.0.1/",
      "http://127.0.0.1:80/",
      "http://127.1/",
      "http://127.0.1/",
      "http://127.255.255.254/",
      "http://0.0.0.0/",
      "http://0/",
      "http://localhost/",
      "http://LOCALHOST./",
      "http://foo.localhost/",
      "http://[::1]/",
      "http://[::]/",
      "http://[0:0:0:0:0:0:0:1]/",
      "http://[::ffff:127.0.0.1]/",
      "http://[::ffff:7f00:1]/",
      "http://[::127.0.0.1]/",
      // In other numbers.
      "http://2130706433/",
      "http://0x7f000001/",
      "http://0x7f.0.0.1/",
      "http://0x7f.1/",
      "http://0177.0.0.1/",
      "http://0177.0.0.01/",
      "http://017700000001/",
      "http://127.0.0.1./",
      "http://0x7F.0x0.0x0.0x1/",
      "http://127.0.0.0x1/",
      "http://134744072/",
      "http://0x8.8.8.8/",
      "http://08.8.8.8/",
      "http://8.8.2056/",
      "http://4294967296/",
      "http://127.0.0.1.1/",
      "http://1.2.3.4.5/",
      "http://256.256.256.256/",
      // Private, shared, link-local, metadata, multicast, reserved, documentation.
      "http://10.0.0.1/",
      "http://172.16.0.1/",
      "http://172.31.255.255/",
      "http://192.168.1.1/",
      "http://169.254.169.254/latest/meta-data/",
      "http://2852039166/",
      "http://0xA9FEA9FE/",
      "http://100.64.0.1/",
      "http://100.100.100.200/",
      "http://192.0.0.192/",
      "http://168.63.129.16/",
      "http://198.18.0.1/",
      "http://192.0.2.1/",
      "http://224.0.0.1/",
      "http://240.0.0.1/",
      "http://255.255.255.255/",
      "http://[fe80::1]/",
      "http://[fc00::1]/",
      "http://[fd00:ec2::254]/",
      "http://[ff02::1]/",
      "http://[2001:db8::1]/",
      // IPv4 inside IPv6: mapped, NAT64, 6to4, Teredo.
      "http://[::ffff:10.0.0.1]/",
      "http://[::ffff:a9fe:a9fe]/",
      "http://[64:ff9b::127.0.0.1]/",
      "http://[64:ff9b::a9fe:a9fe]/",
      "http://[64:ff9b:1::a00:1]/",
      "http://[2002:7f00:1::]/",
      "http://[2002:a9fe:a9fe::]/",
      "http://[2001:0:7f00:1::]/",
      "http://[fe80::1%25eth0]/",
      "http://[fe80::1%eth0]/",
      // Names that lead there, and names of inner networks.
      "http://private.example.org/",
      "http://mixed.example.org/",
      "http://127.0.0.1.nip.io/",
      "http://metadata.google.internal/",
      "http://printer.local/",
      "http://intranet/",
      // User names, and hosts that hide.
      "http://example.org@127.0.0.1/",
      "http://user:password@example.org/",
      "http://@example.org/",
      "http://127.0.0.1@example.org/",
      "http://example.org:80@127.0.0.1:80/",
      "http://example.org\\@127.0.0.1/",
      "http://127.0.0.1\\.example.org/",
      "http://example.org%2f@127.0.0.1/",
      "http://127.0.0.1%2eexample.org/",
      "http://%31%32%37.0.0.1/",
      "http://127%2e0%2e0%2e1/",
      "http://example.org%00.x/",
      // Letters that become digits or dots.
      "http://\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1/",
      "http://127\xe3\x80\x82"
      "0\xe3\x80\x82"
      "0\xe3\x80\x82"
      "1/",
      "http://\xe2\x91\xa0\xe2\x91\xa1\xe2\x91\xa6.0.0.1/",
      "http://ex\xc3\xa4mple.org/",
      // Other ports, schemes and forms.
      "http://example.org:22/",
      "http://example.org:0/",
      "http://example.org:65616/",
      "http://example.org:8080/",
      "https://example.org:80443/",
      "ftp://example.org/",
      "file:///etc/passwd",
      "file://example.org/etc/passwd",
      "gopher://example.org/",
      "dict://example.org/",
      "ldap://example.org/",
      "javascript:alert(1)",
      "data:text/plain,x",
      "unix:///run/x.sock",
      "http:/127.0.0.1/",
      "http:127.0.0.1",
      "http:///127.0.0.1/",
      "http:////127.0.0.1/",
      "//127.0.0.1/",
      "127.0.0.1",
      "example.org",
      "",
      "http://",
      "http://./",
      "http://../",
      "http://example.org../",
      "http://.example.org/",
      "http://exa mple.org/",
      "http://example.org/\r\nHost: x",
      "\thttp://example.org/",
      "http://example.org\t/",
      "http://[::1/",
      "http://::1/",
      "http://[127.0.0.1]/",
      "http://-",
      "http://exa_mple",
      "http://a..b/",
  };
  CHECK(std::size(urls) > 100);
  for (const std::string url : urls) {
    CAPTURE(url);
    const auto how = judged(url);
    CHECK((how == "policy.denied" || how == "tool.invalid_inputs"));
  }
}

TEST_CASE("http_fetch: a name without an address, or an unknown one, is no denial") {
  CHECK(judged("http://nothing.example.org/") == "tool.failed");
  CHECK(judged("http://unknown.example.org/") == "tool.failed");
  CHECK(judged("http://" + std::string(5000, 'a') + ".org/") == "tool.invalid_inputs");
}

TEST_CASE("http_fetch: where hosts are listed only those are reached") {
  auto listed = rules();
  listed.hosts = {"Example.org"};
  CHECK(judge_url("http://example.org/", nullptr, listed));
  CHECK_FALSE(judge_url("http://six.example.org/", nullptr, listed));
  listed.hosts = {"*.example.org"};
  CHECK(judge_url("http://six.example.org/", nullptr, listed));
  CHECK_FALSE(judge_url("http://example.org/", nullptr, listed));
  CHECK_FALSE(judge_url("http://93.184.216.34/", nullptr, listed));
  // A list does not open the inner network.
  listed.hosts = {"private.example.org", "127.0.0.1"};
  CHECK_FALSE(judge_url("http://private.example.org/", nullptr, listed));
  CHECK_FALSE(judge_url("http://127.0.0.1/", nullptr, listed));
}

TEST_CASE("http_fetch: a relative address is read beside the one before") {
  const auto base = judge_url("https://example.org/a/b", nullptr, rules());
  REQUIRE(base);
  const auto read = [&](const std::string& text) {
    const auto out = judge_url(text, &*base, rules());
    return out ? out->text : std::string(out.error().code);
  };
  CHECK(read("c?next=http://x@y/") == "https://example.org/a/c?next=http://x@y/");
  CHECK(read("/d") == "https://example.org/d");
  CHECK(read("//six.example.org/e") == "https://six.example.org/e");
  CHECK(read("http://example.org/f") == "http://example.org/f");
  CHECK(read("//127.0.0.1/") == "policy.denied");
  CHECK(read("//2130706433/") == "policy.denied");
  CHECK(read("http:127.0.0.1") == "tool.invalid_inputs");
  CHECK(read("file:///etc/passwd") != "file:///etc/passwd");
  CHECK(read("javascript:1") == "tool.invalid_inputs");
}
